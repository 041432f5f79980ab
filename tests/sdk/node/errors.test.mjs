// Errors reach the user of openai-node as the class, code and parameter that the real services cause.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ask, azure, collect, errors, model, openai, spoken } from './support.mjs';

async function caughtBy(client, request) {
  try {
    await client.chat.completions.create({ model, ...request });
  } catch (error) {
    return error;
  }
  return assert.fail('the request was answered');
}

const cases = [
  ['too many requests', { messages: ask('too many') }, 'RateLimitError', 429, 'rate_limit_exceeded', null],
  ['no quota', { messages: ask('no money') }, 'RateLimitError', 429, 'insufficient_quota', null],
  ['server error', { messages: ask('broken') }, 'InternalServerError', 500, null, null],
  ['error of a fixture', { messages: ask('teapot') }, 'UnprocessableEntityError', 422, 'short_and_stout', 'messages'],
  ['unknown model', { messages: ask('hello'), model: 'gpt-99' }, 'NotFoundError', 404, 'model_not_found', null],
  ['no messages', { messages: [] }, 'BadRequestError', 400, 'empty_array', 'messages'],
  ['unknown parameter', { messages: ask('hello'), foo: 1 }, 'BadRequestError', 400, 'unknown_parameter', 'foo'],
];

for (const [name, request, kind, status, code, param] of cases) {
  for (const stream of [false, true]) {
    test(`${name} is a ${kind}, ${stream ? 'stream' : 'JSON'}`, async () => {
      const error = await caughtBy(openai(), { ...request, stream });
      assert.ok(error instanceof errors[kind], error.constructor.name);
      assert.deepEqual([error.status, error.code, error.param], [status, code, param]);
      assert.match(error.requestID, /^req_[0-9a-f]{32}$/);
    });
  }
}

test('wrong key is an AuthenticationError', async () => {
  const error = await caughtBy(openai({ apiKey: 'sk-this-is-not-the-key-1234' }), { messages: ask('hello') });
  assert.ok(error instanceof errors.AuthenticationError);
  assert.deepEqual([error.status, error.code], [401, 'invalid_api_key']);
});

test('wrong key on Azure is an AuthenticationError', async () => {
  const error = await caughtBy(azure({ apiKey: 'wrong' }), { messages: ask('hello') });
  assert.ok(error instanceof errors.AuthenticationError);
  assert.deepEqual([error.status, error.code], [401, '401']);
});

test('unknown deployment is a NotFoundError', async () => {
  const error = await caughtBy(azure(), { messages: ask('hello'), model: 'no-such-deployment' });
  assert.ok(error instanceof errors.NotFoundError);
  assert.deepEqual([error.status, error.code], [404, 'DeploymentNotFound']);
});

for (const [service, client] of Object.entries({ openai, azure })) {
  test(`retry waits as long as the server says, ${service}`, async () => {
    const started = performance.now();
    const request = { model, messages: ask('try again'), stream: true };
    const stream = await client({ maxRetries: 1 }).chat.completions.create(request);
    assert.equal(spoken(await collect(stream)), 'Second time lucky.');
    const waited = performance.now() - started;
    assert.ok(waited >= 990 && waited < 3000, `waited ${waited} ms: not the second of retry-after`);
  });
}
