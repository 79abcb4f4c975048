import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openStateFile, removeUnfinished, writeWhole } from '../../local/aws/state-file.ts';
import { openExecutionStore } from '../../local/durable/store.ts';
import { openDeadLetters } from '../../local/lambda/dead-letters.ts';
import { diskTrouble, requireFreeSpace, StateNotWritten, watchDisk } from '../../local/state-disk.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'state-disk-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

it('tells errors of a disk from others, also deep inside and in words alone', () => {
  const full = Object.assign(new Error('x'), { code: 'ENOSPC' });
  expect(diskTrouble(new Error('outer', { cause: new Error('inner', { cause: full }) }))).toBe('is full');
  expect(diskTrouble(new Error('IO error: /x/000003.log: No space left on device'))).toBe('is full');
  expect(diskTrouble(Object.assign(new Error('x'), { code: 'EROFS' }))).toContain('read-only');
  for (const other of [new Error('x'), Object.assign(new Error('x'), { code: 'ENOENT' }), 'ENOSPC', null])
    expect(diskTrouble(other)).toBeNull();
});

it('reports the first failure alone, in words, and passes errors on', async () => {
  const told: Error[] = [];
  const disk = watchDisk(folder, (error) => told.push(error));
  const full = Object.assign(new Error('x'), { code: 'ENOSPC' });
  await expect(disk.written(Promise.reject(new Error('another')))).rejects.toThrow('another');
  expect(told).toEqual([]);
  await expect(disk.written(Promise.reject(full))).rejects.toBe(full);
  disk.report(full);
  disk.close();
  expect(told).toHaveLength(1);
  expect(told[0]).toBeInstanceOf(StateNotWritten);
  expect(told[0]?.message).toMatch(/^The disk that holds \S+ is full[\s\S]*df -h/);
});

it('refuses a start without room, with what there is and what it takes', () => {
  requireFreeSpace(folder, 1);
  expect(() => requireFreeSpace(folder, 1e18)).toThrow(/has \d+ MB free; the start needs 953674316406 MB/);
});

// Whatever is written to it finds no room.
const withoutRoom = process.platform === 'linux' ? it : it.skip;

withoutRoom('reports each writer of state that finds no room', async () => {
  const told: string[] = [];
  const diskOf = (name: string) =>
    ({
      report: (error: unknown) => {
        if (diskTrouble(error) !== null) told.push(name);
      },
      written: async (write) => {
        try {
          return await write;
        } catch (error) {
          if (diskTrouble(error) !== null) told.push(name);
          throw error;
        }
      },
    }) as ReturnType<typeof watchDisk>;
  await symlink('/dev/full', join(folder, 'one.jsonl'));
  const start = { id: 'one' } as never;
  expect(() => openExecutionStore(folder, diskOf('executions')).append('one', { start })).toThrow('ENOSPC');
  const letter = { functionArn: 'arn', payload: '', errorType: '', errorMessage: '' };
  const notes: string[] = [];
  openDeadLetters(folder, (text) => notes.push(text), diskOf('dead letters'))('arn:queue:one', letter);
  expect(notes).toEqual([expect.stringContaining('could not be kept in one')]);
  expect(told).toEqual(['executions', 'dead letters']);
});

it('leaves nothing of a write that failed, and removes what one that was cut short has left', async () => {
  await expect(writeWhole(join(folder, 'no', 'such.json'), '{}')).rejects.toThrow('ENOENT');
  await writeFile(join(folder, 'state.json.1234.tmp'), '{"ha');
  await removeUnfinished(folder);
  expect(await readdir(folder)).toEqual([]);
  const disk = watchDisk(folder, () => undefined);
  const file = await openStateFile(join(folder, 'state.json'), { one: 1 }, disk);
  await file.close();
  disk.close();
  expect(await readFile(join(folder, 'state.json'), 'utf8')).toBe('{"one":1}');
});
