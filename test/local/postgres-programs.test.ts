import { chmod, mkdir, mkdtemp, readFile, readlink, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { reachablePrograms } from '../../local/postgres/programs.ts';

let folder: string;
let closed: string;
let place: string;
/** Whoever it is: a folder on the way to the programs is closed to them. */
const owner = { uid: 65_534, gid: 65_534 };

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'programs-'));
  closed = join(folder, 'home');
  place = join(folder, 'place');
  await mkdir(place);
  await mkdir(join(closed, 'native', 'bin'), { recursive: true });
  await mkdir(join(closed, 'native', 'lib'));
  await writeFile(join(closed, 'native', 'bin', 'postgres'), 'a server');
  await writeFile(join(closed, 'native', 'lib', 'libicuuc.so.60.2'), 'a library');
  await symlink('libicuuc.so.60.2', join(closed, 'native', 'lib', 'libicuuc.so.60'));
  await writeFile(join(closed, 'package.json'), '{"version":"18.4.0"}');
  await chmod(closed, 0o700);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const programs = () => reachablePrograms(join(closed, 'native', 'bin'), place, owner);

it('copies programs out of a closed folder, with links that stay in the copy', async () => {
  const bin = await programs();
  expect(bin.startsWith(place)).toBe(true);
  expect(await readlink(join(bin, '../lib/libicuuc.so.60'))).toBe('libicuuc.so.60.2');
  expect(await reachablePrograms(join(closed, 'native', 'bin'), place, null)).toBe(join(closed, 'native', 'bin'));
});

it('copies once', async () => {
  const { ino } = await stat(join(await programs(), 'postgres'));
  expect((await stat(join(await programs(), 'postgres'))).ino).toBe(ino);
});

it('does not take an interrupted copy for whole', async () => {
  const bin = await programs();
  const copy = join(bin, '..');
  await rm(copy, { recursive: true });
  await mkdir(join(`${copy}.unfinished`, 'bin'), { recursive: true });
  expect(await programs()).toBe(bin);
  expect(await readFile(join(bin, 'postgres'), 'utf8')).toBe('a server');
  expect(await readFile(join(bin, '../lib/libicuuc.so.60'), 'utf8')).toBe('a library');
});

it.each([
  ['server', 'native/bin/postgres', 'another server'],
  ['package', 'package.json', '{"version":"18.5.0"}'],
])('copies another %s anew, and removes the copy before it and those of former versions', async (_, file, content) => {
  const before = await programs();
  await mkdir(join(place, 'native'));
  await mkdir(join(place, 'data'));
  await writeFile(join(closed, file), content);
  const after = await programs();
  expect(after).not.toBe(before);
  await expect(stat(before)).rejects.toMatchObject({ code: 'ENOENT' });
  await expect(stat(join(place, 'native'))).rejects.toMatchObject({ code: 'ENOENT' });
  expect((await stat(join(place, 'data'))).isDirectory()).toBe(true);
});
