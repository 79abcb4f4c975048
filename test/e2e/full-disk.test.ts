import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { managedProfile } from '../support/managed-profile.ts';
import { type SmallDisk, smallDisk } from '../support/small-disk.ts';
import { call, endOf } from './support/api.ts';
import { processesIn, readStart, runStart } from './support/start.ts';

/** Megabytes: what a system takes, and some hundred more. A managed server has segments of 64 MB. */
const size = managedProfile() === null ? 450 : 900;

let folder: string;
let disk: SmallDisk | null = null;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'full-disk-'));
  disk = await smallDisk(join(folder, 'disk'), size);
});
afterAll(async () => {
  await disk?.remove();
  await rm(folder, { recursive: true, force: true });
});

test('a full disk ends the system in words; every job that was accepted goes on at the next start', async ({
  skip,
}) => {
  if (!disk) return skip();
  const first = runStart(disk.folder, '--port', '0');
  const system = readStart(await first.ready());
  const accepted: string[] = [];
  let refused = 0;
  let filled: NodeJS.Timeout | undefined;
  // Until it is gone. What it answers with 202 is a promise; what it answers with anything else is none.
  for (;;) {
    const answer = await call(system, '/backups', { body: { backup_type: 'full' } }).catch(() => null);
    if (answer === null) break;
    if (answer.status === 202) accepted.push(String(answer.json.id));
    else refused += 1;
    // In the middle of jobs, and of requests.
    if (accepted.length > 0) filled ??= setTimeout(() => disk?.fill(), 1_500);
    await new Promise((resolve) => setTimeout(resolve, 400));
  }
  clearTimeout(filled);
  expect(await first.ended()).toBe(1);
  expect(first.printed).toMatch(/The disk that holds \S+\.local is full, so the system's state could not be written/);
  expect(first.printed).toContain('Jobs that were accepted are kept');
  expect(first.printed).not.toMatch(/^ {4}at /m);
  expect(processesIn(disk.folder)).toEqual([]);
  expect(accepted.length).toBeGreaterThan(0);

  disk.empty();
  const second = runStart(disk.folder, '--port', '0', '--idle');
  const again = readStart(await second.ready());
  for (const id of accepted) expect((await endOf(again, id)).status, id).toBe('succeeded');
  expect((await call(again, '/backups', { body: { backup_type: 'full' } })).status).toBe(202);
  expect(await second.end('SIGTERM')).toBe(0);
  process.stdout.write(`full disk: ${accepted.length} jobs accepted and done, ${refused} requests refused\n`);
});
