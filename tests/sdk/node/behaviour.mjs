// Asks with openai-node what tests/sdk/behaviour says, many at once, and prints what became of each.
//
// From stdin: {"key", "timeout", "cut", "at_once", "controls", "cases"}, the last two lists of
// {"id", "url", "body", "via", "twice", "retries"}. The controls are done before the cases begin.
// To stdout: {"versions", "told": {id: what happened}}. A case that is not done after `cut` seconds is told as it
// stands then. With `--versions`, the versions alone.

import { readFileSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const name = process.env.OPENAI_PACKAGE ?? 'openai';
const sdk = await import(name);
const versions = { openai: (await import(`${name}/version`)).VERSION, runtime: `Node.js ${process.version.slice(1)}` };
if (process.argv[2] === '--versions') {
  print(versions);
  process.exit(0);
}
const order = JSON.parse(readFileSync(0, 'utf8'));

// Node.js has one pool of connections for all its fetches, so that one case's broken connection would be the next
// one's. Its class is not exported, but the pool itself can be found, once something was fetched.
await fetch('data:,');
const Pool = globalThis[Symbol.for('undici.globalDispatcher.1')].constructor;

class Case {
  constructor(asked) {
    Object.assign(this, { asked, choices: {}, chunks: 0, error: null, done: false, attempts: [], ended: null });
    this.pool = new Pool();
  }

  async run() {
    this.started = performance.now();
    try {
      const client = new sdk.OpenAI({
        baseURL: this.asked.url,
        apiKey: order.key,
        timeout: order.timeout * 1000,
        maxRetries: this.asked.retries,
        fetch: (...args) => this.fetch(...args),
      });
      await this.ask(client);
      if (this.asked.twice) {
        await sleep(300);
        this.choices = {};
        this.chunks = 0;
        await this.ask(client);
      }
    } catch (error) {
      this.error = chain(error);
    }
    this.ended = performance.now();
    this.done = true;
  }

  async fetch(url, options) {
    const attempt = { at: performance.now(), status: null };
    this.attempts.push(attempt);
    const response = await fetch(url, { ...options, dispatcher: this.pool });
    attempt.status = response.status;
    return response;
  }

  async ask(client) {
    if (this.asked.via === 'helper') {
      const stream = client.chat.completions.stream(this.asked.body);
      stream.on('chunk', () => (this.chunks += 1));
      for (const choice of (await stream.finalChatCompletion()).choices) {
        this.choices[choice.index] = {
          role: choice.message.role,
          text: choice.message.content ?? '',
          calls: (choice.message.tool_calls ?? []).map((call) => [call.function?.name, call.function?.arguments]),
          finish: choice.finish_reason,
        };
      }
      return;
    }
    for await (const chunk of await client.chat.completions.create({ ...this.asked.body, stream: true })) {
      this.chunks += 1;
      for (const choice of chunk.choices ?? []) this.add(choice);
    }
  }

  // As a careful user puts a stream together: by the indices that come.
  add(choice) {
    const seen = (this.choices[choice.index] ??= { role: null, text: '', calls: {}, finish: null });
    if (choice.finish_reason != null) seen.finish = choice.finish_reason;
    seen.role ||= choice.delta?.role ?? null;
    seen.text += choice.delta?.content ?? '';
    for (const call of choice.delta?.tool_calls ?? []) {
      const parts = (seen.calls[String(call.index)] ??= ['', '']);
      parts[0] += call.function?.name ?? '';
      parts[1] += call.function?.arguments ?? '';
    }
  }

  told() {
    const now = this.ended ?? performance.now();
    const choices = {};
    for (const [index, choice] of Object.entries(this.choices)) {
      const { calls } = choice;
      choices[index] = { ...choice, calls: Array.isArray(calls) ? calls : Object.keys(calls).sort().map((key) => calls[key]) };
    }
    return {
      done: this.done,
      choices,
      chunks: this.chunks,
      error: this.error,
      seconds: (now - this.started) / 1000,
      last: this.attempts.length ? (now - this.attempts.at(-1).at) / 1000 : 0,
      statuses: this.attempts.map((attempt) => attempt.status),
    };
  }
}

// The classes of an error and of its causes, outermost first, with the codes that tell them apart.
function chain(error) {
  const names = [];
  while (error != null && names.length < 6) {
    const name = error.constructor?.name ?? typeof error;
    const code = typeof error.code === 'string' && /^[A-Z_]+$/.test(error.code) ? ` ${error.code}` : '';
    names.push(name + code);
    error = error.cause;
  }
  return names;
}

function print(value) {
  let bytes = Buffer.from(JSON.stringify(value));
  while (bytes.length) {
    try {
      bytes = bytes.subarray(writeSync(1, bytes));
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error;
    }
  }
}

const told = {};
async function worker(waiting) {
  for (let asked = waiting.shift(); asked !== undefined; asked = waiting.shift()) {
    const it = new Case(asked);
    const cut = new AbortController();
    await Promise.race([it.run(), sleep(order.cut * 1000, undefined, { signal: cut.signal }).catch(() => {})]);
    cut.abort();
    told[asked.id] = it.told();
  }
}
// What an SDK throws where nobody catches is no reason to lose the others.
process.on('unhandledRejection', () => {});
for (const cases of [order.controls, order.cases]) {
  const waiting = [...cases];
  await Promise.all(Array.from({ length: order.at_once }, () => worker(waiting)));
}
print({ versions, told });
// Calls that hang would keep the process.
process.exit(0);
