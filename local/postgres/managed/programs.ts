import { existsSync } from 'node:fs';
import { chmod, copyFile, lchown, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Owner } from '../programs.ts';
import { checkSql, refusedExtensions, simulatedExtensions } from './extension-scripts.sql.ts';
import { offeredExtensions } from './settings.ts';

/** Libraries of AWS's servers that are preloaded. Any library stands for them: loading it does nothing. */
const preloadable = ['rdsutils', 'pg_cron', 'pgaudit', 'auto_explain'];
const standIn = 'tablefunc';

/** Where a build keeps its parts: the folder of its programs, its libraries and what it shares. */
type Layout = { bin: string; lib: string; share: string };

/**
 * Puts together the programs of a managed server: those that are installed, with the extensions of the managed service in place of
 * their own. The server finds its other folders by where its program lies, so that is copied and the rest is linked.
 *
 * @param programs - the folder `bin` of the build
 * @param folder - takes the programs
 * @param owner - who runs the server, where it is another user
 * @returns the folder `bin` to use
 */
export async function managedPrograms(
  programs: string,
  version: number,
  folder: string,
  owner: Owner | null,
): Promise<string> {
  const installed = layoutOf(programs, version);
  const managed = debianLike(installed, version)
    ? {
        bin: `lib/postgresql/${version}/bin`,
        lib: `lib/postgresql/${version}/lib`,
        share: `share/postgresql/${version}`,
      }
    : { bin: 'bin', lib: 'lib/postgresql', share: 'share/postgresql' };
  const [bin, lib, share] = [join(folder, managed.bin), join(folder, managed.lib), join(folder, managed.share)];
  await rm(folder, { recursive: true, force: true });
  await mkdir(bin, { recursive: true });
  for (const program of ['postgres', 'initdb', 'pg_ctl']) {
    await copyFile(join(installed.bin, program), join(bin, program));
    await chmod(join(bin, program), 0o755);
  }
  // Of a build that brings its own, the system's libraries lie beside those of the server.
  if (!debianLike(installed, version)) await linkAll(dirname(installed.lib), dirname(lib), [basename(lib)]);
  await linkAll(installed.lib, lib);
  for (const name of preloadable) {
    const path = join(lib, `${name}.so`);
    if (!existsSync(path)) await symlink(join(installed.lib, `${standIn}.so`), path);
  }
  await linkAll(installed.share, share, ['extension']);
  await writeExtensions(join(installed.share, 'extension'), join(share, 'extension'));
  if (owner) await giveTo(owner, folder);
  return bin;
}

async function giveTo({ uid, gid }: Owner, folder: string): Promise<void> {
  await lchown(folder, uid, gid);
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true }))
    await lchown(join(entry.parentPath, entry.name), uid, gid);
}

const debianLike = ({ bin }: Layout, version: number): boolean => bin.endsWith(`/postgresql/${version}/bin`);

function layoutOf(bin: string, version: number): Layout {
  const own = { bin, lib: join(bin, '../lib/postgresql'), share: join(bin, '../share/postgresql') };
  if (existsSync(join(own.share, 'extension'))) return own;
  return { bin, lib: join(bin, '../lib'), share: join(bin, '../../../../share/postgresql', String(version)) };
}

async function linkAll(from: string, to: string, but: readonly string[] = []): Promise<void> {
  await mkdir(to, { recursive: true });
  for (const name of await readdir(from)) {
    if (!but.includes(name) && !existsSync(join(to, name))) await symlink(join(from, name), join(to, name));
  }
}

/** The control files and scripts of all extensions; in front of each script is what the managed service checks. */
async function writeExtensions(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  const files = await readdir(from);
  const names = files.filter((file) => file.endsWith('.control')).map((file) => basename(file, '.control'));
  for (const file of files) {
    const isControl = file.endsWith('.control');
    // A script that creates, `name--1.0.sql`, and not one that upgrades, `name--1.0--1.1.sql`.
    const [name = '', ...versions] = basename(file, isControl ? '.control' : '.sql').split('--');
    const isChecked = name !== 'plpgsql' && names.includes(name) && (isControl || versions.length === 1);
    if (!isChecked) await symlink(join(from, file), join(to, file));
    else if (isControl) await writeFile(join(to, file), trusted(await readFile(join(from, file), 'utf8')));
    else {
      const control = await readFile(join(from, `${name}.control`), 'utf8');
      const check = checkSql(name, {
        isOffered: offeredExtensions.includes(name) && !refusedExtensions.includes(name),
        isTrusted: /^\s*trusted\s*=\s*true/m.test(control),
      });
      await writeFile(join(to, file), check + (await readFile(join(from, file), 'utf8')));
    }
  }
  for (const [name, { version, script, preloaded, requires }] of Object.entries(simulatedExtensions)) {
    const check = checkSql(name, { isOffered: true, isTrusted: false, ...(preloaded ? { preloaded } : {}) });
    await writeExtension(to, name, version, check + script, requires);
  }
  for (const name of refusedExtensions) {
    if (!names.includes(name))
      await writeExtension(to, name, '1.0', checkSql(name, { isOffered: false, isTrusted: false }));
  }
}

/** Trusted extensions are those that others than superusers may create. */
const trusted = (control: string): string =>
  `${control.replace(/^\s*(?:trusted|superuser)\s*=.*$/gm, '')}\ntrusted = true\n`;

async function writeExtension(
  to: string,
  name: string,
  version: string,
  script: string,
  requires?: string,
): Promise<void> {
  const control = [
    `comment = 'stands for ${name} of the managed service'`,
    `default_version = '${version}'`,
    'relocatable = false',
    'trusted = true',
    ...(requires ? [`requires = '${requires}'`] : []),
  ];
  await writeFile(join(to, `${name}.control`), `${control.join('\n')}\n`);
  await writeFile(join(to, `${name}--${version}.sql`), script);
}
