// A loop over `fetch` with no dependencies, as people write it by hand: no key, a made-up model, events
// split at blank lines, the end at `[DONE]`. It knows no part of SSE but `data: `, so any other framing breaks it.

import assert from 'node:assert/strict';
import { test } from 'node:test';

const url = process.env.MOCK_URL;

async function* stream(prompt) {
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'llama3', stream: true, messages: [{ role: 'user', content: prompt }] }),
  });
  assert.equal(response.status, 200);
  let buffer = '';
  for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
    buffer += text;
    const events = buffer.split('\n\n');
    buffer = events.pop();
    for (const event of events) {
      const data = event.slice('data: '.length);
      if (data === '[DONE]') {
        assert.equal(buffer, '', 'nothing follows [DONE]');
        return;
      }
      yield JSON.parse(data);
    }
  }
  assert.fail('the stream ended without [DONE]');
}

async function answer(prompt) {
  let text = '';
  for await (const chunk of stream(prompt)) text += chunk.choices[0].delta.content ?? '';
  return text;
}

test('greeting arrives', async () => {
  assert.equal(await answer('hello'), 'Hello! How can I help you today?');
});

test('characters arrive whole', async () => {
  assert.equal(await answer('moon'), '望月の夜 🌕');
});

test('every chunk names the model that was asked for', async () => {
  for await (const chunk of stream('hello')) assert.equal(chunk.model, 'llama3');
});
