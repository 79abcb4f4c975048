import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connect } from '../../shared/postgres/connect.ts';
import { type OwnServer, ownServer } from '../postgres/support/own-server.ts';
import { isLeftOut } from '../support/managed-limits.ts';
import { embeddedBinaries } from '../support/postgres-binaries.ts';
import { psqlIsInstalled } from '../support/psql.ts';
import { processesIn, runStart } from './support/start.ts';

const run = promisify(execFile);

let folder: string;
/** Both have a database `ledger`, with as many rows as is said here; the second takes the first one's port. */
let first: OwnServer;
let second: OwnServer;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'e2e-url-'));
  const binaries = await embeddedBinaries();
  first = await ownServer(binaries);
  await makeLedger(first, first.port, 7);
  await first.stop();
  second = await ownServer(binaries, { port: String(first.port) });
  await makeLedger(second, first.port, 11);
  await second.stop();
});
afterAll(async () => {
  await first?.remove();
  await second?.remove();
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
});

/** The login of the guide, whom pg_hba.conf trusts. */
async function makeLedger(server: OwnServer, port: number, rows: number): Promise<void> {
  const client = await connect(server.target({ port }));
  await client.query('CREATE ROLE trusted LOGIN CREATEDB');
  await client.query('GRANT pg_read_all_data TO trusted');
  await client.query('CREATE DATABASE ledger');
  await client.end();
  const ledger = await connect(server.target({ port, database: 'ledger' }));
  await ledger.query(`CREATE TABLE public.entry AS SELECT generate_series(1, ${rows}) AS n`);
  await ledger.end();
}

const address = (): string => `postgres://trusted@127.0.0.1:${first.port}/ledger?sslmode=require`;

/** Starts the system on what listens at the address, and stops it when `use` is done. */
async function started(use: (printed: string) => Promise<void>): Promise<void> {
  const system = runStart(folder, '--port', '0', '--database-url', address());
  try {
    await use(await system.ready());
  } finally {
    expect(await system.end('SIGTERM')).toBe(0);
  }
  expect(processesIn(folder)).toEqual([]);
}

async function backupsOf(printed: string, id: string): Promise<(number | null)[]> {
  const value = (name: string): string => new RegExp(`^  ${name}=(\\S+)$`, 'm').exec(printed)?.[1] ?? '';
  const response = await fetch(`${value('API')}/backups?database=${id}`, {
    headers: { authorization: `Bearer ${value('VIEWER')}` },
  });
  const { items } = (await response.json()) as { items: { rows: number | null }[] };
  return items.map(({ rows }) => rows);
}

test('a server that asks for no password is managed over TLS; another one at its address has its own state', async ({
  skip,
}) => {
  if (isLeftOut('database-url: a server that asks for no password')) return skip();
  await first.start();
  await started(async (printed) => {
    expect(printed).toMatch(
      /Reached database "ledger" as user "trusted": the server at 127\.0\.0\.1:\d+ runs PostgreSQL 18\.\S+, over TLS/,
    );
    expect(printed).toMatch(/^First backup bkp-\w+\n.*· 7 rows ·/m);
    expect(await backupsOf(printed, 'ledger')).toEqual([7]);

    const tokens = await readFile(join(folder, '.local', 'tokens'), 'utf8');
    expect(tokens).toContain(`export DATABASE_URL='${address()}'`);
    if (psqlIsInstalled) {
      const script =
        '. .local/tokens && psql -XAt "$DATABASE_URL" -c "SELECT count(*), (SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()) FROM entry"';
      const { stdout } = await run('sh', ['-c', script], { cwd: folder, env: { PATH: process.env.PATH } });
      expect(stdout).toBe('7|t\n');
    } else process.stderr.write('SKIPPED: psql is not installed to try DATABASE_URL with\n');
  });
  await first.stop();

  await second.start();
  await started(async (printed) => {
    expect(printed).toContain('is another server than before: its database "ledger" is kept as ledger-2');
    expect(printed).toMatch(/^First backup bkp-\w+\n.*· 11 rows ·/m);
    expect(await backupsOf(printed, 'ledger-2')).toEqual([11]);
    expect(await backupsOf(printed, 'ledger')).toEqual([7]);
  });
  await second.stop();
});
