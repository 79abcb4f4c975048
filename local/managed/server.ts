import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { quoteLiteral } from '../../shared/postgres/identifiers.ts';
import { requireFreePort } from '../ports.ts';
import { prepareFolder } from '../postgres/folder.ts';
import { makeManagedData, type Passwords } from '../postgres/managed/data.ts';
import type { ManagedKind } from '../postgres/managed/profile.ts';
import { managedPrograms } from '../postgres/managed/programs.ts';
import { type ManagedPostgres, startManagedPostgres } from '../postgres/managed/server.ts';
import { embeddedPrograms, reachablePrograms } from '../postgres/programs.ts';
import type { LocalPostgres } from '../postgres/server.ts';
import { applicationOwnerSql } from './owner.sql.ts';

/** A managed server of this machine, as its master user sees it. */
export type LocalManagedServer = LocalPostgres & { readonly managed: ManagedPostgres };

/** Of the PostgreSQL that npm installed. */
const VERSION = 18;
const HEARTBEAT_MS = 5 * 60_000;
/** They make the login of the guide, which this system uses, and let it make the logins of drills. */
const loginScripts = ['rds', 'drills'].map((name) => join(import.meta.dirname, `../../docs/logins/${name}.sql`));

type Kept = Passwords & { readonly login: string };

/**
 * Starts a server that behaves as RDS or Aurora do, on data below the state folder, made on the first start.
 *
 * @param port - 0 takes a free one
 * @throws as `startPostgres`
 */
export async function startLocalManagedServer({
  stateFolder,
  kind,
  port,
  signal,
}: {
  stateFolder: string;
  kind: ManagedKind;
  port: number;
  signal?: AbortSignal | undefined;
}): Promise<LocalManagedServer> {
  if (port !== 0) await requireFreePort(port);
  const { kept: passwords, isNew } = readKept(stateFolder, kind);
  const place = await prepareFolder(stateFolder, isNew);
  const reachable = await reachablePrograms(await embeddedPrograms(), place.path, place.owner);
  const programs = await managedPrograms(reachable, VERSION, join(place.path, 'managed-programs'), place.owner);
  signal?.throwIfAborted();
  const data = join(place.path, `data-${kind}`);
  const profile = { kind, version: VERSION, masterUser: 'postgres', parameters: {} };
  if (!existsSync(join(data, 'PG_VERSION')))
    await makeManagedData({ programs, data, place, profile, passwords, signal });
  const managed = await startManagedPostgres({
    ...{ programs, data, place, profile, passwords, port, signal },
    heartbeatMs: HEARTBEAT_MS,
  });
  const { host, master, lost, stop } = managed;
  return { managed, host, port: managed.port, ...master, lost, stop };
}

/**
 * Gives the sample to an application's role, and makes the login of the guide in its database, as its master user; or takes in owners
 * that have come since.
 *
 * @returns the login, with its password
 */
export async function makeLogin(
  { managed }: LocalManagedServer,
  database: string,
  stateFolder: string,
): Promise<{ user: string; password: string }> {
  const { host, port, master, kind } = managed;
  const { login } = readKept(stateFolder, kind).kept;
  const client = new pg.Client({ host, port, database, ...master });
  await client.connect();
  try {
    await client.query(applicationOwnerSql);
    for (const script of loginScripts) await client.query(readFileSync(script, 'utf8'));
    await client.query(`ALTER ROLE dbms PASSWORD ${quoteLiteral(login)}`);
  } finally {
    await client.end();
  }
  await managed.settle();
  return { user: 'dbms', password: login };
}

function readKept(stateFolder: string, kind: ManagedKind): { kept: Kept; isNew: boolean } {
  const path = join(stateFolder, `managed-${kind}-passwords.json`);
  if (existsSync(path)) return { kept: JSON.parse(readFileSync(path, 'utf8')) as Kept, isNew: false };
  const password = () => randomBytes(24).toString('base64url');
  const kept = { rdsadmin: password(), master: password(), login: password() };
  writeFileSync(path, JSON.stringify(kept), { mode: 0o600 });
  return { kept, isNew: !existsSync(join(stateFolder, 'postgres-password')) };
}
