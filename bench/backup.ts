import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import pg from 'pg';
import { type LocalSystem, startSystem } from '../local/system.ts';
import { backupSchema } from '../shared/contract/schemas/backup.ts';
import { type Job, jobSchema } from '../shared/contract/schemas/job.ts';
import { embeddedBinaries, installedBinaries } from '../test/support/postgres-binaries.ts';
import { startServer } from '../test/support/postgres-server.ts';
import { fillBenchmarkDatabase } from './database.ts';
import { type BenchServer, copyTable, hasTool, pgBackRest, pgDump, pgRestore, vacuumdbAnalyze } from './peers.ts';
import { functionUsage } from './processes.ts';
import { type Measurement, median, type Ratio, ratio, report } from './report.ts';

export interface BackupBenchmark {
  gigabytes: number;
  runs: number;
  connections: number;
  level: number;
  /** Looks at jobs often, to tell the phases they are in. */
  watch: boolean;
  output: string;
}

const SOURCE = 'bench';

/** Each look at a job takes some of the processor that is measured, so there are few; many, to see its phases. */
const POLL_MS = { measured: 1000, watched: 50 };

/** Settings of a small production server: durable, with room between checkpoints. The tests' own trade safety for speed. */
const SERVER_SETTINGS = {
  fsync: 'on',
  full_page_writes: 'on',
  max_wal_size: '8GB',
  checkpoint_timeout: '30min',
  wal_level: 'replica',
  autovacuum: 'off',
};

/** Runs the whole comparison and prints it. Everything it starts is stopped and everything it makes is removed. */
export async function benchmarkBackup(options: BackupBenchmark): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-'));
  chmodSync(folder, 0o777);
  // The peers' clients must be as new as the server, so the installed version is preferred to the one from npm.
  const binaries = (await installedBinaries()).at(-1) ?? (await embeddedBinaries());
  const { server, data, stop } = await startServer(binaries, { ...SERVER_SETTINGS, unix_socket_directories: folder });
  let system: LocalSystem | undefined;
  try {
    console.log(`${server.label}; making a database of about ${options.gigabytes} GB`);
    await recreate(server, SOURCE);
    const size = await withClient(server, SOURCE, async (client) => {
      await fillBenchmarkDatabase(client, options.gigabytes);
      await client.query('CHECKPOINT');
      const { rows } = await client.query('SELECT pg_catalog.pg_database_size(current_database())::float8 AS bytes');
      return Number(rows[0].bytes);
    });
    system = await startSystem({
      stateFolder: join(folder, 'state'),
      databases: [{ id: 'bench', ...server, name: SOURCE }],
      deployment: {
        backups: { connections: options.connections, compression_level: options.level },
        connections: { statement_timeout_ms: 0 },
      },
      schedules: false,
    });

    const api: Api = { system, watch: options.watch };
    const measured = new Map<string, Measurement[]>();
    const add = (one: Measurement): void => {
      measured.set(one.name, [...(measured.get(one.name) ?? []), one]);
      console.log(`  ${one.name}: ${one.wallSeconds.toFixed(2)} s`);
    };
    const peers = hasTool('pg_dump', server.version) && hasTool('pg_restore', server.version);
    // Taken in turns, so that what else the machine does meanwhile falls on all of them.
    for (let run = 0; run < options.runs; run++) {
      await settle(server);
      const { backupId, ...backup } = await ourBackup(api);
      add(backup);
      await settle(server);
      add(await ourRestore(api, server, backupId, { analyze: false }));
      await settle(server);
      add(await ourRestore(api, server, backupId, { analyze: true }));
      await settle(server);
      add(await ourRestore(api, server, backupId, { analyze: false, tables: [ONE_TABLE] }));
      if (!peers) continue;
      const dump = join(folder, 'dump');
      await settle(server);
      add(await pgDump(server, SOURCE, dump));
      await recreate(server, 'bench_peer');
      await settle(server);
      const restored = await pgRestore(server, 'bench_peer', dump);
      add(restored);
      if (hasTool('vacuumdb', server.version)) add(together(restored, await vacuumdbAnalyze(server, 'bench_peer')));
      await recreate(server, 'bench_peer');
      await settle(server);
      add(await copyTable(server, { from: SOURCE, into: 'bench_peer', table: ONE_TABLE, folder }));
      await drop(server, 'bench_peer');
    }
    if (hasTool('pgbackrest', 0, 'version')) {
      await pgBackRest(server, data, folder).then(add, (error: Error) =>
        console.log(`  pgBackRest: left out: ${error.message}`),
      );
    }
    const medians = [...measured.values()].map(median);
    report(
      options.output,
      `${server.label}, database of ${(size / 1e9).toFixed(2)} GB, ${options.connections} connections, zstd ${options.level}, median of ${options.runs}`,
      medians,
      ratios(medians),
    );
  } finally {
    await system?.stop();
    await stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Api {
  system: LocalSystem;
  watch: boolean;
}

const OUR_BACKUP = 'backup (encrypted)';
const OUR_RESTORE = 'restore';
const OUR_ANALYZED_RESTORE = 'restore + ANALYZE';
const OUR_TABLE_RESTORE = 'restore of one table';
/** About a thirtieth of the database, with a key and two indexes, one of them GIN. */
const ONE_TABLE = 'public.customers';

function ratios(all: readonly Measurement[]): Ratio[] {
  const find = (start: string): Measurement | undefined =>
    all.find(({ name }) => name === start) ?? all.find(({ name }) => name.startsWith(start));
  const pairs = [
    [find(OUR_BACKUP), find('pg_dump')],
    [find(OUR_RESTORE), find('pg_restore -j2')],
    [find(OUR_ANALYZED_RESTORE), find('pg_restore -j2 + ')],
    [find(OUR_ANALYZED_RESTORE), find('pg_restore -j2')],
    [find(OUR_BACKUP), find('pgBackRest')],
    [find(OUR_TABLE_RESTORE), find('psql')],
  ];
  return pairs.flatMap(([ours, peer]) => (ours && peer ? [ratio(ours, peer)] : []));
}

/** One program after the other. */
function together(first: Measurement, second: Measurement): Measurement {
  const sum = (a: number | null, b: number | null): number | null => (a === null || b === null ? null : a + b);
  return {
    name: `${first.name} + ${second.name}`,
    wallSeconds: first.wallSeconds + second.wallSeconds,
    cpuSeconds: sum(first.cpuSeconds, second.cpuSeconds),
    peakBytes: first.peakBytes === null ? null : Math.max(first.peakBytes, second.peakBytes ?? 0),
    storedBytes: null,
  };
}

async function ourBackup(api: Api): Promise<Measurement & { backupId: string }> {
  const { job, ...usage } = await runJob(api, '-backup', 'backups', { backup_type: 'full' });
  const backupId = job.backup_id ?? '';
  const backup = backupSchema.parse(await call(api.system, `backups/${backupId}`));
  return { name: OUR_BACKUP, ...usage, storedBytes: backup.stored_bytes, backupId };
}

async function ourRestore(
  api: Api,
  server: BenchServer,
  backupId: string,
  options: { analyze: boolean; tables?: string[] },
): Promise<Measurement> {
  const target = 'bench_ours';
  const { job: _, ...usage } = await runJob(api, '-restore', 'restore', {
    backup_id: backupId,
    confirm: true,
    target_database: target,
    ...options,
  });
  await drop(server, target);
  const whole = options.analyze ? OUR_ANALYZED_RESTORE : OUR_RESTORE;
  return { name: options.tables ? OUR_TABLE_RESTORE : whole, ...usage, storedBytes: null };
}

/** Starts a job over the API and waits for its end. Its time is from the request until the job says that it ended. */
async function runJob(
  { system, watch }: Api,
  functionName: string,
  path: string,
  body: unknown,
): Promise<{ job: Job } & Omit<Measurement, 'name' | 'storedBytes'>> {
  const before = functionUsage(functionName);
  const requested = Date.now();
  let job = jobSchema.parse(await call(system, path, body));
  const phases = new Map<string, number>();
  let seen = requested;
  while (job.status === 'queued' || job.status === 'running') {
    await setTimeout(watch ? POLL_MS.watched : POLL_MS.measured);
    job = jobSchema.parse(await call(system, `jobs/${job.id}`));
    const phase = job.progress?.phase ?? 'start';
    phases.set(phase, (phases.get(phase) ?? 0) + (Date.now() - seen) / 1000);
    seen = Date.now();
  }
  if (job.status !== 'succeeded' || !job.ended_at)
    throw new Error(`The job ${job.id} ${job.status}: ${job.error?.message}`);
  const wallSeconds = (Date.parse(job.ended_at) - requested) / 1000;
  const after = functionUsage(functionName);
  return {
    job,
    ...(watch ? { phases } : {}),
    wallSeconds,
    cpuSeconds: before && after ? after.cpuSeconds - before.cpuSeconds : null,
    peakBytes: after?.peakBytes ?? null,
  };
}

async function call(system: LocalSystem, path: string, body?: unknown): Promise<unknown> {
  const response = await fetch(`${system.apiUrl}/api/database/${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { authorization: `Bearer ${system.tokens.admin}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return response.json();
}

async function withClient<Result>(
  server: BenchServer,
  database: string,
  work: (client: pg.Client) => Promise<Result>,
): Promise<Result> {
  const client = new pg.Client({ ...server, database });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** Brings what was written before to the disk, so that nobody pays for the one before. */
async function settle(server: BenchServer): Promise<void> {
  await withClient(server, 'postgres', (client) => client.query('CHECKPOINT'));
  spawnSync('sync');
}

async function drop(server: BenchServer, name: string): Promise<void> {
  await withClient(server, 'postgres', (client) => client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`));
}

async function recreate(server: BenchServer, name: string): Promise<void> {
  await drop(server, name);
  await withClient(server, 'postgres', (client) => client.query(`CREATE DATABASE ${name}`));
}
