import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';

/** In place of npm: says which script it was asked for, and does what the environment says about it. */
const NPM = `#!/usr/bin/env bash
name=\${!#}
echo "$name began"
[ "$name" != test ] || while [ ! -e "$TMPDIR/go" ]; do sleep 0.05; done
[ "$WARNS" != "$name" ] || echo 'npm warn EBADENGINE'
[ "$FAILS" != "$name" ] || exit 7
echo "$name ended"
`;

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** Runs .ci/run with scripts that do nothing. The tests go on when `go` is called. */
function runIt({ fails = '', warns = '' } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'ci-run-'));
  folders.push(folder);
  const temporary = join(folder, 'tmp');
  for (const name of ['.ci', 'bin', 'tmp']) mkdirSync(join(folder, name));
  copyFileSync(join(import.meta.dirname, '../.ci/run'), join(folder, '.ci/run'));
  writeFileSync(join(folder, 'bin/npm'), NPM);
  chmodSync(join(folder, 'bin/npm'), 0o755);
  const child = spawn('bash', [join(folder, '.ci/run')], {
    env: {
      ...process.env,
      PATH: `${join(folder, 'bin')}:${process.env.PATH}`,
      TMPDIR: temporary,
      FAILS: fails,
      WARNS: warns,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
  return {
    child,
    said: () => said,
    go: () => writeFileSync(join(temporary, 'go'), ''),
    /** The exit status, once all is closed that it had started: nothing holds its output. */
    ended: once(child, 'close').then(([status]) => status as number | null),
    leftBehind: () => readdirSync(temporary).filter((name) => name !== 'go'),
  };
}

const spoke = (run: ReturnType<typeof runIt>, text: string) =>
  expect.poll(run.said, { timeout: 20_000, interval: 20 }).toContain(text);

test('runs what computes beside the tests, each as one block, and ends with what the tests said', async () => {
  const run = runIt();
  await spoke(run, 'synth: passed');
  expect(run.said()).toContain('=== check: passed');
  expect(run.said()).not.toContain('test ended');
  run.go();
  expect(await run.ended).toBe(0);
  expect(run.said()).toMatch(/test ended\n$/);
  expect(run.leftBehind()).toEqual([]);
});

test.each([
  ['ci', 7, /^ci began\n$/],
  ['check', 1, /check: failed with status 7.*synth ended.*test ended\nFailed: check\n$/s],
  ['synth', 1, /synth: failed with status 7.*test ended\nFailed: synth\n$/s],
  ['test', 1, /Failed: tests\n$/],
])('fails when npm %s does, and names it', async (name, status, said) => {
  const run = runIt({ fails: name });
  if (name !== 'ci') await spoke(run, '=== end of synth');
  run.go();
  expect(await run.ended).toBe(status);
  expect(run.said()).toMatch(said);
});

test('fails when npm ci warns', async () => {
  const run = runIt({ warns: 'ci' });
  expect(await run.ended).toBe(1);
  expect(run.said()).toBe('ci began\nnpm warn EBADENGINE\nci ended\nFailed: npm ci warns\n');
});

test('leaves nothing running when it is ended', async () => {
  const run = runIt();
  await spoke(run, 'synth: passed');
  run.child.kill('SIGTERM');
  expect(await run.ended).toBe(143);
  expect(run.leftBehind()).toEqual([]);
});
