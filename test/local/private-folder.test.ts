import { spawn } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { lockStateFolder, refuseSecond } from '../../local/lock.ts';
import { closeFolder } from '../../local/private-folder.ts';

let folder: string;
beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), 'private-')), '.local');
});
afterEach(() => rm(join(folder, '..'), { recursive: true, force: true }));

const mode = async (...path: string[]) => ((await stat(join(folder, ...path))).mode & 0o777).toString(8);

it('makes a state folder that its owner alone can read', async () => {
  lockStateFolder(folder)();
  expect(await mode()).toBe('700');
});

it('closes what a former version has left open, but not the folder of the server', async () => {
  await mkdir(join(folder, 'logs', 'old'), { recursive: true });
  await mkdir(join(folder, 'postgres'));
  await writeFile(join(folder, 'logs', 'old', 'api.log'), '');
  await writeFile(join(folder, 'deployment.json'), '{}');
  for (const path of ['logs', 'logs/old', 'postgres']) await chmod(join(folder, path), 0o755);
  for (const path of ['logs/old/api.log', 'deployment.json']) await chmod(join(folder, path), 0o644);
  await chmod(folder, 0o711);
  closeFolder(folder);
  expect(await Promise.all([mode(), mode('logs'), mode('logs', 'old'), mode('postgres')])).toEqual([
    ...['700', '700', '700', '755'],
  ]);
  expect([await mode('logs', 'old', 'api.log'), await mode('deployment.json')]).toEqual(['600', '600']);
});

it('leaves a folder that lets the server through, and nobody else, as it is', async () => {
  await mkdir(folder);
  await chmod(folder, 0o710);
  closeFolder(folder);
  expect(await mode()).toBe('710');
});

it('has a second system refused while the first one runs, and no longer once its number is that of another process', async () => {
  const other = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60_000)']);
  try {
    await mkdir(folder);
    const path = join(folder, 'running.pid');
    await writeFile(path, String(other.pid));
    expect(() => refuseSecond(folder)).toThrow(`A local system already runs on ${folder} (process ${other.pid})`);
    if (process.platform !== 'linux') return;
    const before = Date.now() / 1000 - 60;
    await utimes(path, before, before);
    expect(() => refuseSecond(folder)).not.toThrow();
  } finally {
    other.kill('SIGKILL');
  }
});
