import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { describe } from 'vitest';
import type { ConnectionTarget } from '../../shared/postgres/connect.ts';
import { quoteIdentifier } from '../../shared/postgres/identifiers.ts';
import { askFor } from './made-once/ask.ts';
import type { FileServers } from './made-once/server-pool.ts';
import type { TestServer } from './postgres-server.ts';

export type { TestServer } from './postgres-server.ts';

/** A database of a test's own. */
export interface ScratchDatabase {
  name: string;
  server: TestServer;
  /** A new connection as superuser; what is still open is closed by `drop`. */
  connect(): Promise<pg.Client>;
  /** For the product's own functions. */
  target(changes?: Partial<ConnectionTarget>): ConnectionTarget;
  /** Removes it, ending what is connected to it. */
  drop(): Promise<void>;
}

/** The servers of this process, which no file shares that runs at the same time. */
const servers = await askFor<FileServers>('servers', String(process.pid));

/** Those that tests are run against; the first is PostgreSQL 18, unless another was named. */
export const testedServers: readonly TestServer[] = servers.tested;

/** Those and the others, for restores from one version to another. */
export const allServers: readonly TestServer[] = servers.all;

/**
 * Describes the same tests for each version that is there: where SQL reads catalogs or statistics, or where what a database
 * holds is exported, restored or replayed, which the versions do differently. Elsewhere, {@link anyServer}.
 *
 * @example
 * forEachServer((server) => { test('...', async () => { const database = await createScratchDatabase(server); }) })
 */
export function forEachServer(body: (server: TestServer) => void): void {
  describe.each([...testedServers])('$label', body);
}

/** Describes tests of what the versions do alike for the one server that {@link anyServer} gives. */
export function forOneServer(body: (server: TestServer) => void): void {
  describe.each(testedServers.slice(0, 1))('$label', body);
}

/**
 * PostgreSQL 18, unless another was named: for tests of what the versions do alike. `npm run versions` runs them, as all others,
 * against each version.
 */
export function anyServer(): TestServer {
  const [server] = testedServers;
  if (!server) throw new Error('No server was started');
  return server;
}

/** Connects to a database of a server as superuser. The caller ends the connection. */
export async function connectTo(server: TestServer, database: string): Promise<pg.Client> {
  const { host, port, user, password } = server;
  const client = new pg.Client({ host, port, user, password, database, application_name: 'test' });
  // A connection that `drop` ends from the server's side reports it as an event.
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

/** The same server with a login that sees everything: where it is managed, that of rdsadmin, whom customers cannot become. */
export function seenWhole(server: TestServer): TestServer {
  return { ...server, ...server.managed?.behind };
}

/** Runs a function with a connection, and ends it. */
export async function withClient<Result>(
  server: TestServer,
  database: string,
  use: (client: pg.Client) => Promise<Result>,
): Promise<Result> {
  const client = await connectTo(server, database);
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}

/** Where a database is, for the product's own functions. */
export function targetFor(
  server: TestServer,
  database: string,
  changes: Partial<ConnectionTarget> = {},
): ConnectionTarget {
  const { host, port, user, password } = server;
  return {
    host,
    port,
    database,
    tls: { mode: 'disable' },
    applicationName: 'test',
    credentials: async () => ({ user, password }),
    limits: {
      pool_size: 4,
      pool_overflow: 4,
      pool_timeout_seconds: 10,
      pool_recycle_seconds: 3600,
      connect_timeout_ms: 60_000,
      statement_timeout_ms: 60_000,
      lock_timeout_ms: 10_000,
      idle_in_transaction_timeout_ms: 120_000,
    },
    ...changes,
  };
}

/** Removes a database, ending what is connected to it. */
export async function dropDatabase(server: TestServer, name: string): Promise<void> {
  await withClient(seenWhole(server), 'postgres', (client) =>
    client.query(`DROP DATABASE IF EXISTS ${quoteIdentifier(name)} WITH (FORCE)`),
  );
}

/** Creates an empty database; without a name, one that no other test uses. */
export async function createScratchDatabase(
  server: TestServer,
  name = `scratch_${randomBytes(6).toString('hex')}`,
): Promise<ScratchDatabase> {
  await withClient(server, 'postgres', (client) =>
    client.query(`CREATE DATABASE ${quoteIdentifier(name)} TEMPLATE template0`),
  );
  return databaseOf(server, name);
}

/** A database that is there, as the comparisons take it. */
export function databaseOf(server: TestServer, name: string): ScratchDatabase {
  return {
    name,
    server,
    connect: () => connectTo(server, name),
    target: (changes) => targetFor(server, name, changes),
    drop: () => dropDatabase(server, name),
  };
}
