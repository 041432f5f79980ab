// @microsoft/fetch-event-source in a real browser, on a page of another origin than llmirage's.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { chromium } from 'playwright-core';

const url = process.env.MOCK_URL;
const key = process.env.MOCK_KEY;
const model = 'gpt-4o-mini';
const library = new URL('./node_modules/@microsoft/fetch-event-source/lib/esm/', import.meta.url);
const stream = (content) => ({ model, stream: true, messages: [{ role: 'user', content }] });

// Serves the page and, as they are, the library's modules, whose imports leave out `.js`.
const pages = createServer(async ({ url: path }, response) => {
  const [, name] = /^\/fetch-event-source\/(\w+)(?:\.js)?$/.exec(path) ?? [];
  const file = name ? new URL(`${name}.js`, library) : path === '/' && new URL('./page.html', import.meta.url);
  const body = file ? await readFile(file).catch(() => null) : null;
  response.writeHead(body ? 200 : 404, { 'content-type': name ? 'text/javascript' : 'text/html' });
  response.end(body ?? '');
});

let browser;
let page;

before(async () => {
  await new Promise((listening) => pages.listen(0, '127.0.0.1', listening));
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM,
    // A sandbox needs rights that root in a container does not have; only our own page is opened.
    chromiumSandbox: false,
    args: [
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
  page = await browser.newPage();
  await page.goto(`http://localhost:${pages.address().port}/`);
  await page.waitForFunction(() => 'ask' in window);
});

after(async () => {
  await browser?.close();
  pages.closeAllConnections();
  pages.close();
});

const ask = (request) => page.evaluate((request) => window.ask(request), request);
const chunks = ({ messages }) => messages.slice(0, -1).map(({ data }) => JSON.parse(data));
const spoken = (seen) =>
  chunks(seen)
    .flatMap(({ choices }) => choices)
    .map(({ delta }) => delta.content ?? '')
    .join('');

test('page of another origin streams with an authorization header', async () => {
  const seen = await ask({
    url: `${url}/v1/chat/completions`,
    headers: { authorization: `Bearer ${key}`, 'x-stainless-lang': 'js' },
    body: stream('moon'),
  });
  assert.equal(seen.error, null);
  assert.equal(seen.contentType, 'text/event-stream; charset=utf-8');
  assert.equal(seen.messages.at(-1).data, '[DONE]');
  assert.equal(spoken(seen), '望月の夜 🌕');
  assert.ok(seen.messages.every(({ id, event }) => id === '' && event === ''));
  assert.match(seen.requestId, /^req_[0-9a-f]{32}$/, 'x-request-id is exposed');
});

test('page of another origin streams from Azure with an api-key header', async () => {
  const seen = await ask({
    url: `${url}/openai/deployments/${model}/chat/completions?api-version=2024-10-21`,
    headers: { 'api-key': key },
    body: stream('hello'),
  });
  assert.equal(seen.error, null);
  assert.deepEqual(chunks(seen)[0].choices, []);
  assert.equal(spoken(seen), 'Hello! How can I help you today?');
});

test('page sees each message when it is sent', async () => {
  const seen = await ask({
    url: `${url}/v1/chat/completions`,
    headers: { authorization: `Bearer ${key}` },
    body: stream('slowly'),
  });
  assert.equal(seen.error, null);
  assert.ok(seen.times.at(-1) - seen.times[0] > 2500, '30 tokens, 100 ms apart');
});

test('page can read an error of another origin', async () => {
  const seen = await ask({
    url: `${url}/v1/chat/completions`,
    headers: { authorization: 'Bearer sk-this-is-not-the-key-1234' },
    body: stream('hello'),
  });
  assert.equal(seen.status, 401);
  assert.equal(seen.body.error.code, 'invalid_api_key');
});

test('page may leave in the middle', async () => {
  const request = { url: `${url}/v1/chat/completions`, headers: { authorization: `Bearer ${key}` } };
  const left = await ask({ ...request, body: stream('slowly'), leaveAfter: 3 });
  assert.equal(left.messages.length, 3);
  const next = await ask({ ...request, body: stream('hello') });
  assert.equal(spoken(next), 'Hello! How can I help you today?');
});
