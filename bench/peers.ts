import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Measurement } from './report.ts';

/** A server that the peers' tools reach as we do: over TCP on loopback. */
export interface BenchServer {
  host: string;
  port: number;
  user: string;
  password: string;
}

/** Runs a program and measures it with GNU time's own means: wall, processor time and peak memory of it and its children. */
export async function runTool(
  name: string,
  command: string,
  args: string[],
  server: BenchServer,
): Promise<Omit<Measurement, 'storedBytes'> & { said: string }> {
  const environment = { ...process.env, PGPASSWORD: server.password, LC_ALL: 'C' };
  const timed = spawnSync('/usr/bin/time', ['--version']).status === 0;
  const output = join(mkdtempSync(join(tmpdir(), 'bench-time-')), 'time');
  const [program, all] = timed
    ? ['/usr/bin/time', ['-f', '%U %S %M', '-o', output, command, ...args]]
    : [command, args];
  const started = performance.now();
  const child = spawn(program, all as string[], { env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-4000);
    });
  }
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  const wallSeconds = (performance.now() - started) / 1000;
  if (code !== 0) throw new Error(`${command} ended with ${code}: ${said}`);
  let cpuSeconds: number | null = null;
  let peakBytes: number | null = null;
  if (timed) {
    const [user = 0, system = 0, kilobytes = 0] = readFileSync(output, 'utf8').trim().split(' ').map(Number);
    cpuSeconds = user + system;
    peakBytes = kilobytes * 1024;
  }
  rmSync(join(output, '..'), { recursive: true, force: true });
  return { name, wallSeconds, cpuSeconds, peakBytes, said };
}

/** Whether a client tool of at least the server's major version is installed. */
export function hasTool(command: string, serverMajor: number, versionArgument = '--version'): boolean {
  const { stdout, status } = spawnSync(command, [versionArgument], { encoding: 'utf8' });
  return status === 0 && Number(/(\d+)[.\d]*/.exec(stdout)?.[1] ?? 0) >= serverMajor;
}

function folderBytes(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}

/** `pg_dump -Fd -j2 -Z1`, not encrypted, to a local folder. */
export async function pgDump(server: BenchServer, database: string, folder: string): Promise<Measurement> {
  rmSync(folder, { recursive: true, force: true });
  const measured = await runTool(
    'pg_dump -Fd -j2 -Z1',
    'pg_dump',
    [
      ...['-h', server.host, '-p', String(server.port), '-U', server.user],
      ...['-Fd', '-j2', '-Z1', '-f', folder, database],
    ],
    server,
  );
  return { ...measured, storedBytes: folderBytes(folder) };
}

/** `pg_restore -j2` of what {@link pgDump} wrote, into an existing empty database. */
export async function pgRestore(server: BenchServer, database: string, folder: string): Promise<Measurement> {
  const measured = await runTool(
    'pg_restore -j2',
    'pg_restore',
    [...['-h', server.host, '-p', String(server.port), '-U', server.user], ...['-j2', '-d', database, folder]],
    server,
  );
  return { ...measured, storedBytes: null };
}

/** `vacuumdb --analyze-only -j2`: the statistics that a restore of ours has gathered, and that of pg_restore has not. */
export async function vacuumdbAnalyze(server: BenchServer, database: string): Promise<Measurement> {
  const measured = await runTool(
    'vacuumdb -Z -j2',
    'vacuumdb',
    [...['-h', server.host, '-p', String(server.port), '-U', server.user], ...['--analyze-only', '-j2', database]],
    server,
  );
  return { ...measured, storedBytes: null };
}

/**
 * `psql \\copy` of one table's rows, from a local file of text, into an empty table that has its keys and indexes already.
 *
 * @param from - the database that has the table
 */
export async function copyTable(
  server: BenchServer,
  { from, into, table, folder }: { from: string; into: string; table: string; folder: string },
): Promise<Measurement> {
  const login = ['-h', server.host, '-p', String(server.port), '-U', server.user];
  const definition = join(folder, 'table.sql');
  const rows = join(folder, 'table.copy');
  const psql = (name: string, database: string, args: string[]) =>
    runTool(name, 'psql', [...login, '-qX', '-v', 'ON_ERROR_STOP=1', '-d', database, ...args], server);
  await runTool('pg_dump', 'pg_dump', [...login, '-s', '-t', table, '-f', definition, from], server);
  await psql('definition', into, ['-f', definition]);
  await psql('rows', from, ['-c', `\\copy ${table} to '${rows}'`]);
  const measured = await psql('psql \\copy of that table', into, ['-c', `\\copy ${table} from '${rows}'`]);
  return { ...measured, storedBytes: null };
}

/**
 * A full pgBackRest backup of the whole cluster: physical, zst 1, AES-256, 2 processes. It needs the server's data folder and
 * socket, so it runs only against a server of this machine that allows `archive_mode`-less backups.
 */
export async function pgBackRest(server: BenchServer, dataFolder: string, socketFolder: string): Promise<Measurement> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-pgbackrest-'));
  const configuration = join(folder, 'pgbackrest.conf');
  writeFileSync(
    configuration,
    `[global]
repo1-path=${folder}/repo
repo1-cipher-type=aes-256-cbc
repo1-cipher-pass=benchmark
compress-type=zst
compress-level=1
process-max=2
log-path=${folder}
lock-path=${folder}/lock
archive-check=n
archive-copy=n
start-fast=y
[bench]
pg1-path=${dataFolder}
pg1-port=${server.port}
pg1-socket-path=${socketFolder}
pg1-user=${server.user}
`,
  );
  const common = [`--config=${configuration}`, '--stanza=bench'];
  try {
    await runTool('stanza', 'pgbackrest', [...common, 'stanza-create'], server);
    const measured = await runTool(
      'pgBackRest full, zst 1, AES-256',
      'pgbackrest',
      [...common, '--type=full', 'backup'],
      server,
    );
    return { ...measured, storedBytes: folderBytes(join(folder, 'repo')) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
