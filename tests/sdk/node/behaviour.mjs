// Asks with openai-node what tests/sdk/behaviour says, many at once, and prints what became of each.
//
// From stdin: {"key", "timeout", "cut", "at_once", "cases": [{"id", "url", "body", "via", "twice", "retries"}]}.
// To stdout: {id: what happened}. A case that is not done after `cut` seconds is told as it stands then.

import { readFileSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const sdk = await import(process.env.OPENAI_PACKAGE ?? 'openai');
const order = JSON.parse(readFileSync(0, 'utf8'));

class Case {
  constructor(asked) {
    Object.assign(this, { asked, choices: {}, chunks: 0, error: null, done: false, attempts: [], ended: null });
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

  async fetch(...args) {
    const attempt = { at: performance.now(), status: null };
    this.attempts.push(attempt);
    const response = await fetch(...args);
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
    const seen = (this.choices[choice.index] ??= { text: '', calls: {}, finish: null });
    if (choice.finish_reason != null) seen.finish = choice.finish_reason;
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

const told = {};
const waiting = [...order.cases];
async function worker() {
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
await Promise.all(Array.from({ length: order.at_once }, worker));

const { VERSION } = await import(`${process.env.OPENAI_PACKAGE ?? 'openai'}/version`);
const text = JSON.stringify({ versions: { openai: VERSION, runtime: `Node.js ${process.version.slice(1)}` }, told });
let bytes = Buffer.from(text);
while (bytes.length) {
  try {
    bytes = bytes.subarray(writeSync(1, bytes));
  } catch (error) {
    if (error.code !== 'EAGAIN') throw error;
  }
}
// Calls that hang would keep the process.
process.exit(0);
