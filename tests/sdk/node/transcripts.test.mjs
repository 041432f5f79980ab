// The JavaScript of docs/transcripts.md, run as it stands there by somebody who has tests/recorded.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { promisify } from 'node:util';

const root = process.env.MOCK_ROOT;

test('the tests of the page pass', async () => {
  const page = await readFile(`${root}/docs/transcripts.md`, 'utf8');
  const blocks = page.split('```js\n').slice(1).map((rest) => rest.split('```')[0]);
  assert.equal(blocks.length, 1);
  // Beside `node_modules`, where the page's `import OpenAI` finds it.
  const folder = await mkdtemp(new URL('transcripts-', import.meta.url).pathname);
  try {
    await cp(`${root}/tests/recorded`, `${folder}/tests/recorded`, { recursive: true });
    await writeFile(`${folder}/tests/hello.test.mjs`, blocks[0]);
    const { NODE_TEST_CONTEXT, ...env } = process.env;
    const args = ['--test', '--test-reporter=tap', 'tests/hello.test.mjs'];
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: folder, env, timeout: 120_000 });
    assert.match(stdout, /^# pass 2$/m);
    assert.match(stdout, /^# fail 0$/m);
  } finally {
    await rm(folder, { recursive: true });
  }
});
