import { randomBytes } from 'node:crypto';
import { chown, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { makeManagedData } from '../../local/postgres/managed/data.ts';
import type { ManagedKind } from '../../local/postgres/managed/profile.ts';
import { managedPrograms } from '../../local/postgres/managed/programs.ts';
import { type ManagedPostgres, startManagedPostgres } from '../../local/postgres/managed/server.ts';
import { reachablePrograms, serverOwner } from '../../local/postgres/programs.ts';
import { anyBinaries, type PostgresBinaries } from './postgres-binaries.ts';
import { guardFolder, type TestServer } from './postgres-server.ts';

export interface ManagedServerOptions {
  /** PostgreSQL to run; by default what tests run on in which the version plays no part. */
  binaries?: PostgresBinaries;
  /** Of the parameter group, as AWS writes them, such as `{ 'rds.logical_replication': '1' }`. */
  parameters?: Record<string, string>;
  /** Settings of the server that no parameter group has. */
  settings?: Record<string, string>;
  /** Between heartbeats of rdsadmin, in milliseconds; by default there are none but those of `managed.beat()`. */
  heartbeatMs?: number;
  /** By default `postgres`. */
  masterUser?: string;
  /** By default a free one. */
  port?: number;
  /** By default new ones. */
  passwords?: { rdsadmin: string; master: string };
}

export interface ManagedServer {
  /** Its login is the master user: no superuser. */
  server: TestServer;
  /** The same server, seen as rdsadmin sees it, whom customers cannot become: to look behind it. */
  behind: TestServer;
  /** Parameters, restarts, heartbeats, the log. */
  managed: ManagedPostgres;
  /** Runs statements as the master user, each by itself; gives the rows of the last and the warnings. */
  asMaster(database: string, ...statements: string[]): Promise<{ rows: Record<string, unknown>[]; warnings: string[] }>;
  /** As rdsadmin. */
  asRdsadmin(
    database: string,
    ...statements: string[]
  ): Promise<{ rows: Record<string, unknown>[]; warnings: string[] }>;
  /** Starts a reader, which streams from it; it is stopped with it. The server is restarted for it, as its files are copied. */
  startReader(): Promise<Pick<ManagedServer, 'server' | 'behind' | 'asMaster' | 'asRdsadmin'>>;
  /** Stops it and removes its data. */
  stop(): Promise<void>;
}

/**
 * Starts a server that behaves as Amazon RDS or Aurora do, as far as docs/managed-servers.md says; it ends with this process, however
 * that ends. The caller stops it.
 */
export async function startManagedServer(
  kind: ManagedKind,
  options: ManagedServerOptions = {},
): Promise<ManagedServer> {
  const binaries = options.binaries ?? (await anyBinaries());
  const { version } = binaries;
  const owner = await serverOwner();
  const folder = await mkdtemp(join(tmpdir(), `test-managed-${kind}-${version}-`));
  if (owner) await chown(folder, owner.uid, owner.gid);
  const guard = guardFolder(folder);
  const place = { path: folder, owner };
  const password = () => randomBytes(12).toString('base64url');
  const passwords = options.passwords ?? { rdsadmin: password(), master: password() };
  const profile = { kind, version, masterUser: options.masterUser ?? 'postgres', parameters: options.parameters ?? {} };
  const data = join(folder, 'data');
  let managed: ManagedPostgres | undefined;
  const readers: ManagedPostgres[] = [];
  const stop = async (): Promise<void> => {
    for (const reader of readers) await reader.stop();
    await managed?.stop();
    guard.kill();
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  const settings = { fsync: 'off', full_page_writes: 'off', max_prepared_transactions: '10', ...options.settings };
  const heartbeatMs = options.heartbeatMs ?? null;
  try {
    const reachable = await reachablePrograms(binaries.folder, folder, owner);
    const programs = await managedPrograms(reachable, version, join(folder, 'programs'), owner);
    await makeManagedData({ programs, data, place, profile, passwords });
    const { port } = options;
    const writer = await startManagedPostgres({
      ...{ programs, data, place, profile, passwords, settings, heartbeatMs },
      ...(port === undefined ? {} : { port }),
    });
    managed = writer;
    return {
      ...viewOf(writer, binaries),
      managed: writer,
      async startReader() {
        const own = join(folder, `reader-${readers.length + 1}`);
        await mkdir(own);
        if (owner) await chown(own, owner.uid, owner.gid);
        await writer.copyTo(join(own, 'data'));
        const reader = await startManagedPostgres({
          ...{ programs, data: join(own, 'data'), place: { path: own, owner }, profile, passwords, settings },
          heartbeatMs: null,
          writer: { port: writer.port },
        });
        readers.push(reader);
        return viewOf(reader, binaries);
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** A server as its master user and as rdsadmin see it. */
function viewOf(
  { kind, version, host, port, master, rdsadmin, settle }: ManagedPostgres,
  { pgDump }: PostgresBinaries,
): Pick<ManagedServer, 'server' | 'behind' | 'asMaster' | 'asRdsadmin'> {
  const seen = (login: { user: string; password: string }): TestServer => ({
    label: `${kind === 'rds' ? 'RDS' : 'Aurora'} ${version}`,
    ...{ version, host, port, ...login },
    ...(pgDump ? { pgDump } : {}),
  });
  const runAs =
    (login: { user: string; password: string }) =>
    async (database: string, ...statements: string[]) => {
      const client = new pg.Client({ host, port, database, ...login });
      const warnings: string[] = [];
      client.on('error', () => undefined);
      client.on('notice', ({ severity, message }) => severity === 'WARNING' && warnings.push(message ?? ''));
      await client.connect();
      try {
        let rows: Record<string, unknown>[] = [];
        for (const statement of statements) {
          const result = await client.query(statement);
          rows = (Array.isArray(result) ? result.at(-1)?.rows : result.rows) ?? [];
        }
        // Roles may have been granted.
        await settle();
        return { rows, warnings };
      } finally {
        await client.end();
      }
    };
  return { server: seen(master), behind: seen(rdsadmin), asMaster: runAs(master), asRdsadmin: runAs(rdsadmin) };
}
