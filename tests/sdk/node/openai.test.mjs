// openai-node against llmirage as OpenAI.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { OpenAI, ask, collect, errors, greeting, key, model, openai, spoken, url, weather } from './support.mjs';

for (const path of ['', '/', '/v1', '/v1/']) {
  test(`stream comes token by token with the base URL ending in "${path}"`, async () => {
    const client = new OpenAI({ baseURL: url + path, apiKey: key });
    const chunks = await collect(await client.chat.completions.create({ model, messages: ask('hello'), stream: true }));
    assert.deepEqual(chunks.map((chunk) => chunk.choices[0].delta.content), ['', ...greeting, undefined]);
    assert.equal(chunks[0].choices[0].delta.role, 'assistant');
    assert.equal(chunks.at(-1).choices[0].finish_reason, 'stop');
    assert.match(chunks[0].id, /^chatcmpl-[0-9A-Za-z]{29}$/);
    assert.ok(chunks.every((chunk) => !('usage' in chunk)));
  });
}

test('usage comes last if asked for', async () => {
  const request = { model, messages: ask('hello'), stream: true, stream_options: { include_usage: true } };
  const chunks = await collect(await openai().chat.completions.create(request));
  assert.deepEqual(chunks.at(-1).choices, []);
  assert.equal(chunks.at(-1).usage.completion_tokens, greeting.length);
  assert.ok(chunks.slice(0, -1).every((chunk) => chunk.usage === null));
});

test('JSON reply says the same as the stream', async () => {
  const completion = await openai().chat.completions.create({ model, messages: ask('hello') });
  assert.equal(completion.choices[0].message.content, greeting.join(''));
  assert.equal(completion.choices[0].finish_reason, 'stop');
  assert.match(completion._request_id, /^req_[0-9a-f]{32}$/);
});

test('characters arrive whole', async () => {
  const stream = await openai().chat.completions.create({ model, messages: ask('moon'), stream: true });
  assert.equal(spoken(await collect(stream)), '望月の夜 🌕');
});

test('stream helper assembles a single tool call', async () => {
  const stream = openai().chat.completions.stream({ model, messages: ask('weather in Paris'), tools: weather });
  const { choices } = await stream.finalChatCompletion();
  assert.equal(choices[0].finish_reason, 'tool_calls');
  assert.equal(choices[0].message.tool_calls[0].function.name, 'get_weather');
  assert.equal(choices[0].message.tool_calls[0].function.arguments, '{"city":"Paris"}');
});

test('stream helper assembles parallel tool calls', async () => {
  const stream = openai().chat.completions.stream({ model, messages: ask('weather in both'), tools: weather });
  const { message } = (await stream.finalChatCompletion()).choices[0];
  const cities = message.tool_calls.map((call) => JSON.parse(call.function.arguments).city);
  assert.deepEqual(cities, ['Paris', 'London']);
  assert.equal(message.content, null);
});

test('stream helper emits content as it comes', async () => {
  const stream = openai().chat.completions.stream({ model, messages: ask('hello') });
  const deltas = [];
  stream.on('content', (delta) => deltas.push(delta));
  assert.equal(await stream.finalContent(), greeting.join(''));
  assert.deepEqual(deltas.filter((delta) => delta !== ''), greeting);
});

test('structured output is parsed by the helper', async () => {
  const schema = { type: 'object', properties: { city: { type: 'string' }, degrees: { type: 'integer' } } };
  const response_format = { type: 'json_schema', json_schema: { name: 'weather', schema } };
  const stream = openai().chat.completions.stream({ model, messages: ask('Paris as JSON'), response_format });
  const completion = await stream.finalChatCompletion();
  assert.deepEqual(JSON.parse(completion.choices[0].message.content), { city: 'Paris', degrees: 21 });
});

test('refusal arrives as a refusal', async () => {
  const stream = openai().chat.completions.stream({ model, messages: ask('how to steal a car') });
  const refusals = [];
  stream.on('refusal.done', ({ refusal }) => refusals.push(refusal));
  const { message } = (await stream.finalChatCompletion()).choices[0];
  assert.equal(message.refusal, "I'm sorry, I can't help with that.");
  assert.equal(message.content, null);
  assert.deepEqual(refusals, [message.refusal]);
});

test('logprobs come if asked for', async () => {
  const request = { model, messages: ask('how sure'), logprobs: true, top_logprobs: 2 };
  const stream = openai().chat.completions.stream(request);
  const { logprobs } = (await stream.finalChatCompletion()).choices[0];
  assert.deepEqual(logprobs.content.map(({ token, logprob }) => [token, logprob]), [['Very', -0.25], [' sure', -0.5]]);
  const whole = await openai().chat.completions.create(request);
  assert.deepEqual(whole.choices[0].logprobs.content, logprobs.content);
});

test('two choices keep apart', async () => {
  const stream = openai().chat.completions.stream({ model, messages: ask('a colour'), n: 2 });
  const { choices } = await stream.finalChatCompletion();
  assert.deepEqual(choices.map(({ message }) => message.content), ['Red, of course.', 'Blue.']);
});

test('headers are those of the real service', async () => {
  const request = { model, messages: ask('hello'), stream: true };
  const { data, response, request_id } = await openai().chat.completions.create(request).withResponse();
  assert.equal(response.headers.get('content-type'), 'text/event-stream; charset=utf-8');
  assert.equal(response.headers.get('openai-version'), '2020-10-01');
  assert.equal(response.headers.get('x-request-id'), request_id);
  assert.match(request_id, /^req_[0-9a-f]{32}$/);
  assert.equal((await collect(data)).length, greeting.length + 2);
});

test('client may abort in the middle', async () => {
  const client = openai();
  const stream = await client.chat.completions.create({ model, messages: ask('slowly'), stream: true });
  const words = [];
  for await (const chunk of stream) {
    words.push(chunk.choices[0].delta.content);
    if (words.length === 3) stream.controller.abort();
  }
  assert.deepEqual(words, ['', '1', ' 2']);
  const next = await client.chat.completions.create({ model, messages: ask('hello'), stream: true });
  assert.equal(spoken(await collect(next)), greeting.join(''));
});

test('stream helper reports an abort to its user', async () => {
  const stream = openai().chat.completions.stream({ model, messages: ask('slowly') });
  stream.on('content', (_, text) => text.startsWith('1 2') && stream.abort());
  await assert.rejects(stream.finalContent(), errors.APIUserAbortError);
});

test('many streams run at once', async () => {
  const client = openai();
  const one = async (prompt) =>
    spoken(await collect(await client.chat.completions.create({ model, messages: ask(prompt), stream: true })));
  const texts = await Promise.all(Array.from({ length: 40 }, (_, n) => one(n % 2 ? 'moon' : 'hello')));
  assert.deepEqual(texts, Array.from({ length: 40 }, (_, n) => (n % 2 ? '望月の夜 🌕' : greeting.join(''))));
});
