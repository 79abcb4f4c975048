import { OperationError } from '../errors.ts';
import type { SessionKind } from './session-settings.ts';

/** A connection pooler between us and the server, which lends us one of its sessions for a transaction or longer. */
export interface Pooler {
  name: string;
  /** How it was recognised, in words. */
  recognised_by: string;
}

/** Where a connection leads to. */
export interface Place {
  host: string;
  port: number;
  /** The setting of the database's configuration that names the address. */
  setting?: 'host' | 'direct.host' | undefined;
}

/** Its endpoints, `<name>.proxy-<id>.<region>.rds.amazonaws.com` and those with a name of their own below `endpoint.`. */
const RDS_PROXY = /\.proxy-[a-z0-9]+\.[a-z0-9-]+\.rds\.amazonaws\.com(?:\.cn)?$/i;

/** Recognises a pooler by its address alone, before anything connects to it. */
export function poolerByAddress(host: string): Pooler | null {
  if (!RDS_PROXY.test(host)) return null;
  return { name: 'RDS Proxy', recognised_by: 'Its address is that of an RDS Proxy endpoint' };
}

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
    name: 'A connection pooler such as PgBouncer',
    recognised_by: `The login announced ${login}, and statements are run by the process ${actual}`,
  };
}

/** What cannot be done through a pooler, by kind of session; null: works through one. */
const needsServer: Readonly<Record<SessionKind, string | null>> = {
  inspecting: null,
  monitoring: null,
  catalog: null,
  exporting: 'Backups, samples and masking read in a snapshot that several sessions share',
  capturing: 'Point-in-time recovery reads a replication slot',
  restoring: 'Restores and drills work in databases that they create, with settings that last for a session',
  administering:
    'Backups, restores, drills, point-in-time recovery and the rotation of passwords need sessions of their own',
};

/** Whether a kind of session works in one transaction at a time, so that a pooler may be in between. */
export function worksThroughPooler(kind: SessionKind): boolean {
  return needsServer[kind] === null;
}

/**
 * The refusal of work that needs the server itself.
 *
 * @param work - whose sessions cannot go through a pooler
 */
export function serverNeeded(work: string, { host, port, setting = 'host' }: Place, pooler: Pooler): OperationError {
  return new OperationError(
    'server_needed',
    `${work}, which needs the server itself. ${pooler.name} is at ${host}:${port}: ${lowerFirst(pooler.recognised_by)}. Nothing was begun.`,
    setting === 'host'
      ? 'Set `direct` of this database in the configuration to the address of the server itself, such as direct: { host: "...", port: 5432 }, and deploy; monitoring stays with `host`.'
      : 'Correct `direct` of this database in the configuration: it is to be the address of the server itself.',
  );
}

/** As {@link serverNeeded}, for a kind of session. */
export function serverNeededFor(kind: SessionKind, place: Place, pooler: Pooler): OperationError {
  return serverNeeded(needsServer[kind] ?? 'This work', place, pooler);
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

const lowerFirst = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1);
