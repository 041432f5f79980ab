// openai-node against llmirage as Azure OpenAI.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { AzureOpenAI, OpenAI, ask, azure, collect, errors, greeting, key, model, spoken, url, weather } from './support.mjs';

const apiVersion = '2024-10-21';
const ways = {
  'model is the deployment': () => azure(),
  'a fixed deployment': () => azure({ deployment: model }),
  'base URL of the API': () => new AzureOpenAI({ baseURL: `${url}/openai`, apiKey: key, apiVersion }),
  'an Entra ID token': () => new AzureOpenAI({ endpoint: url, azureADTokenProvider: async () => key, apiVersion }),
  'v1 without api-version': () => new OpenAI({ baseURL: `${url}/openai/v1`, apiKey: key }),
};

for (const [how, client] of Object.entries(ways)) {
  test(`stream has a preamble, verdicts and usage: ${how}`, async () => {
    const request = { model, messages: ask('hello'), stream: true, stream_options: { include_usage: true } };
    const chunks = await collect(await client().chat.completions.create(request));
    const [preamble, role, ...rest] = chunks;
    assert.deepEqual(preamble.choices, []);
    assert.deepEqual(preamble.prompt_filter_results[0].content_filter_results.hate, { filtered: false, severity: 'safe' });
    assert.deepEqual(role.choices[0].content_filter_results, {});
    assert.equal(role.choices[0].delta.role, 'assistant');
    assert.equal(rest[0].choices[0].content_filter_results.violence.severity, 'safe');
    assert.equal(spoken(rest), greeting.join(''));
    assert.equal(rest.at(-1).usage.completion_tokens, greeting.length);
  });
}

test('stream helper takes the preamble and assembles tool calls', async () => {
  const stream = azure().chat.completions.stream({ model, messages: ask('weather in both'), tools: weather });
  const { choices } = await stream.finalChatCompletion();
  const cities = choices[0].message.tool_calls.map((call) => JSON.parse(call.function.arguments).city);
  assert.deepEqual(cities, ['Paris', 'London']);
});

test('blocked prompt is a bad request', async () => {
  for (const stream of [false, true]) {
    await assert.rejects(azure().chat.completions.create({ model, messages: ask('forbidden'), stream }), (error) => {
      assert.ok(error instanceof errors.BadRequestError);
      assert.deepEqual([error.status, error.code, error.param], [400, 'content_filter', 'prompt']);
      assert.equal(error.error.innererror.content_filter_result.self_harm.severity, 'medium');
      return true;
    });
  }
});

test('filtered completion ends at once', async () => {
  const stream = await azure().chat.completions.create({ model, messages: ask('fight'), stream: true });
  const chunks = await collect(stream);
  assert.equal(spoken(chunks), 'one two');
  assert.equal(chunks.at(-1).choices[0].finish_reason, 'content_filter');
});

test('asynchronous filter annotates without a delta', async () => {
  const stream = await azure().chat.completions.create({ model, messages: ask('asynchronous'), stream: true });
  const chunks = await collect(stream);
  assert.equal(spoken(chunks), 'Checked while it is sent.');
  const annotations = chunks.flatMap((chunk) => chunk.choices).filter((choice) => choice.content_filter_offsets);
  assert.ok(annotations.length > 0 && annotations.every((choice) => choice.delta === undefined));
});
