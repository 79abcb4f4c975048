import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from './support/api.ts';
import { processesIn, runStart } from './support/start.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'interrupted-start-'));
});
afterAll(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));

/** What is printed when a phase begins, and how long it then has, in milliseconds. Each start goes on from what the one before it has left. */
const phases = [
  ['before anything is started', /^Starting the database/m, 0],
  ['while the data folder is made', /Starting PostgreSQL/, 300],
  ['while PostgreSQL starts, or the sample is made', /Starting PostgreSQL/, 2_500],
  ['while the app is synthesized', /Synthesizing the app/, 500],
  ['in the first backup', /Taking a first backup/, 300],
] as const;

test.each(phases)('Ctrl-C %s leaves nothing running', async (_, words, milliseconds) => {
  const started = runStart(folder, '--port', '0');
  await eventually(
    () => words.test(started.printed),
    (isThere) => isThere,
  );
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
  // As a terminal does it: to all processes of the group.
  expect(await started.interrupt()).toBe(0);
  expect(started.printed).not.toMatch(/^ {4}at |Error:/m);
  expect(processesIn(folder)).toEqual([]);
});

test('a start after all of them comes to Ready', async () => {
  const started = runStart(folder, '--port', '0', '--idle');
  await started.ready();
  expect(await started.interrupt()).toBe(0);
  expect(processesIn(folder)).toEqual([]);
});
