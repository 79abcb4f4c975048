import { uncertainEndpoint } from '../aws/rds-endpoint.ts';
import { OperationError } from '../errors.ts';
import type { SessionKind } from './session-settings.ts';

/** A connection pooler between us and the server, which lends us one of its sessions for a transaction or longer. */
export interface Pooler {
  name: string;
  /** How it was recognised, in words. */
  recognised_by: string;
  /** What to name in its place, in words; by default the address of the server itself. */
  instead?: string;
}

/** Where a connection leads to. */
export interface Place {
  host: string;
  port: number;
  /** The setting of the database's configuration that names the address. */
  setting?: 'host' | 'direct.host' | undefined;
}

const POOLER = 'a connection pooler such as PgBouncer';
const SERVER = 'the address of the server itself';

/**
 * Recognises a pooler by its address alone, before anything connects to it. Reader and custom endpoints of clusters are like one: two
 * connections may lead to two servers.
 */
export const poolerByAddress: (host: string) => Pooler | null = uncertainEndpoint;

/**
 * Recognises a pooler by the number of the server process: a server announces its own at the login, and a pooler one that it has made
 * up, as the processes change from transaction to transaction.
 *
 * @param announced - at the login; null when nothing was
 * @param actual - as the server says it
 */
export function poolerByProcess(announced: number | null, actual: number): Pooler | null {
  if (announced === actual) return null;
  const login = announced === null ? 'no server process' : `the server process ${announced}`;
  return {
    name: POOLER,
    recognised_by: `the login announced ${login}, and statements are run by the process ${actual}`,
  };
}

/** Why a kind of session needs the server itself; null: it works through a pooler. */
const needsServer: Readonly<Record<SessionKind, string | null>> = {
  inspecting: null,
  monitoring: null,
  catalog: null,
  exporting: 'Backups, samples and masking need the server itself, as several sessions share one snapshot',
  capturing: 'Point-in-time recovery needs the server itself, as it reads a replication slot',
  restoring: 'Restores and drills need the server itself, as their settings last for a session',
  administering:
    'Backups, restores, drills, point-in-time recovery and the rotation of passwords need the server itself, as they create databases and slots and log in anew',
};

/** Whether a kind of session works in one transaction at a time, so that a pooler may be in between. */
export function worksThroughPooler(kind: SessionKind): boolean {
  return needsServer[kind] === null;
}

/** The refusal of work that needs the server itself. */
export function serverNeededFor(kind: SessionKind, place: Place, pooler: Pooler): OperationError {
  return serverNeeded(needsServer[kind] ?? 'This needs the server itself', place, pooler);
}

function serverNeeded(reason: string, { host, port, setting = 'host' }: Place, pooler: Pooler, cause?: unknown) {
  return new OperationError(
    'server_needed',
    `${reason}. At ${host}:${port} there is ${pooler.name}: ${pooler.recognised_by}. Nothing was begun.`,
    setting === 'host'
      ? `Name ${pooler.instead ?? SERVER} in the configuration of this database, as \`direct: { host: "...", port: 5432 }\`, and deploy; monitoring goes on through \`host\`.`
      : `Correct \`direct.host\` and \`direct.port\` in the configuration of this database: they are to be ${pooler.instead ?? SERVER}.`,
    { cause },
  );
}

/** What a pooler has refused by a message of its own, which PgBouncer gives one SQLSTATE for all; `other`: something else. */
export function poolerRefusal(message: string): 'start_up' | 'login' | 'database' | 'other' {
  if (/unsupported startup parameter/i.test(message)) return 'start_up';
  if (/authentication failed|no such user/i.test(message)) return 'login';
  return /no such database|database ".*" does not exist/i.test(message) ? 'database' : 'other';
}

/** A pooler that lets nobody speak the replication protocol. */
export function startUpRefused(place: Place, message: string, cause: unknown): OperationError {
  const pooler = { name: POOLER, recognised_by: `it refused the login with "${message}"` };
  return serverNeeded(needsServer.capturing ?? '', place, pooler, cause);
}

/** A pooler that ends a transaction with its first statement: settings and statements would be of different sessions. */
export function statementPooling({ host, port }: Place, cause: unknown): OperationError {
  return new OperationError(
    'statement_pooling',
    `The pooler at ${host}:${port} pools statements and refuses transactions, in which alone the settings of a session hold: ${(cause as Error).message}`,
    'Set pool_mode to transaction or session for this database in the pooler, or name the server itself in `host`.',
    { cause },
  );
}
