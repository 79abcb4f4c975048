import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { machineFaults } from '../newcomer/first-start/faults.ts';
import { processesIn, runStart } from './support/start.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'first-faults-'));
});
afterEach(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));

test.each(machineFaults)('$name is told at once, before anything is started', async ({ arrange }) => {
  const { options, says, exitCode, close } = await arrange(folder);
  try {
    const started = performance.now();
    const run = runStart(folder, ...options, '--fresh');
    expect(await run.ended()).toBe(exitCode);
    // Half of it is Node's own start, on a machine at rest; tests run beside each other.
    expect(performance.now() - started).toBeLessThan(5_000);
    for (const words of says) expect(run.printed).toMatch(words);
    expect(run.printed).not.toMatch(/^ {4}at /m);
    expect(processesIn(folder)).toEqual([]);
    if (existsSync(join(folder, '.local'))) expect(await readdir(join(folder, '.local'))).toEqual([]);
  } finally {
    await close();
  }
});
