import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { embeddedPrograms } from '../../local/postgres/programs.ts';

const run = promisify(execFile);

/** One build of PostgreSQL on this machine. */
export interface PostgresBinaries {
  /** Major version. */
  version: number;
  /** Folder that holds `initdb` and `postgres`. */
  folder: string;
  /** A native `pg_dump` of this version, where there is one. */
  pgDump?: string;
  /** Whether `pg_stat_statements` can be preloaded. */
  statements: boolean;
}

/**
 * The PostgreSQL that npm installed.
 *
 * @throws Error that says what to do when npm installed none, or left it incomplete
 */
export async function embeddedBinaries(): Promise<PostgresBinaries> {
  const folder = await embeddedPrograms();
  try {
    return { version: await majorVersion(folder), folder, statements: true };
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message.split('\n')[0] : String(cause);
    throw new Error(
      `The database tests need the PostgreSQL that npm installed, which does not run (${detail}). Run "npm rebuild" if install scripts were blocked.`,
      { cause },
    );
  }
}

/** Every major version installed on the machine: below /usr/lib/postgresql, and the one `pg_config` names. */
export async function installedBinaries(): Promise<PostgresBinaries[]> {
  const debian = '/usr/lib/postgresql';
  const majors = existsSync(debian) ? await readdir(debian) : [];
  const configured = await run('pg_config', ['--bindir']).then(
    ({ stdout }) => [stdout.trim()],
    () => [],
  );
  const folders = new Set([...majors.map((major) => join(debian, major, 'bin')), ...configured]);
  const found = new Map<number, PostgresBinaries>();
  for (const folder of folders) {
    if (!existsSync(join(folder, 'initdb')) || !existsSync(join(folder, 'postgres'))) continue;
    const version = await majorVersion(folder);
    if (found.has(version)) continue;
    const pgDump = join(folder, 'pg_dump');
    found.set(version, {
      version,
      folder,
      statements: await hasStatements(folder),
      ...(existsSync(pgDump) ? { pgDump } : {}),
    });
  }
  return [...found.values()].sort((a, b) => a.version - b.version);
}

export interface TestBinaries {
  /** Those the tests are run against; the first is for tests in which the version plays no part. */
  tested: PostgresBinaries[];
  /** Others, to restore into what comes from those, and from them. */
  others: PostgresBinaries[];
}

/**
 * What the database tests run against: npm's PostgreSQL and each other version that is installed. Where POSTGRES_BIN_DIR names a
 * folder with another PostgreSQL, they run against that one alone, and those are the others; see commands/versions.ts.
 *
 * @throws Error when npm's or the named one is missing or does not run
 */
export async function testBinaries(): Promise<TestBinaries> {
  const [embedded, installed] = [await embeddedBinaries(), await installedBinaries()];
  const pgDump = installed.find(({ version }) => version === embedded.version)?.pgDump;
  const usual = [
    { ...embedded, ...(pgDump ? { pgDump } : {}) },
    ...installed.filter(({ version }) => version !== embedded.version && version >= 13),
  ];
  const folder = process.env.POSTGRES_BIN_DIR;
  if (!folder) return { tested: usual, others: [] };
  const given = { version: await majorVersion(folder), folder, statements: await hasStatements(folder) };
  return { tested: [given], others: usual.filter(({ version }) => version !== given.version) };
}

/** For a server of a test's own, where the version plays no part. */
export async function anyBinaries(): Promise<PostgresBinaries> {
  const [first] = (await testBinaries()).tested;
  if (!first) throw new Error('There is no PostgreSQL');
  return first;
}

async function majorVersion(folder: string): Promise<number> {
  const { stdout } = await run(join(folder, 'postgres'), ['--version']);
  const major = /\) (\d+)/.exec(stdout)?.[1];
  if (!major) throw new Error(`${folder}/postgres --version says: ${stdout.trim()}`);
  return Number(major);
}

/** The contrib modules may be a package of their own. */
async function hasStatements(folder: string): Promise<boolean> {
  const own = await run(join(folder, 'pg_config'), ['--pkglibdir']).then(
    ({ stdout }) => stdout.trim(),
    () => join(folder, '../lib/postgresql'),
  );
  return ['so', 'dylib', 'dll'].some((suffix) => existsSync(join(own, `pg_stat_statements.${suffix}`)));
}
