import type { Socket } from 'node:net';
import pg from 'pg';
import type { ConnectionLimits } from '../configuration/runtime.ts';
import type { Tls } from '../configuration/tls.ts';
import { OperationError } from '../errors.ts';
import { singleBufferSocket } from './copy/byte-tap.ts';
import { hasQueries } from './pooled-connection.ts';
import {
  type Place,
  type Pooler,
  poolerByAddress,
  poolerRefusal,
  serverNeededFor,
  startUpRefused,
  worksThroughPooler,
} from './pooler.ts';
import { addressProblem } from './refuse-address.ts';
import { limitsOf, type SessionKind, type SessionLimits } from './session-settings.ts';
import { startSession } from './start-session.ts';
import { type ClientCertificate, type Encryption, encryptionsOf, tlsOptions } from './tls.ts';
import { SILENCE_MS, watchSession } from './watch-session.ts';

export interface Credentials {
  user: string;
  /** Null: the server is not expected to ask for one. */
  password: string | null;
  certificate?: ClientCertificate;
}

/** Gives the credentials to log in with; `refused` are those that the server has just refused: asks for others, past any cache. */
export type CredentialsSource = (options?: { refused?: Credentials }) => Promise<Credentials>;

/** Where and as whom to connect. Credentials are asked for at each connection: a secret rotates, an IAM token ages. */
export interface ConnectionTarget extends Place {
  database: string;
  credentials: CredentialsSource;
  tls: Tls;
  limits: ConnectionLimits;
  applicationName: string;
  /** How long a statement may be silent before the server is asked about it, in milliseconds; see `watchSession`. */
  silenceMs?: number;
}

/** What a single connection is for, and what it may differ in from its target. */
export interface ConnectionOverrides extends Partial<SessionLimits> {
  /** Decides about the session's settings, and whether a pooler may be in between; by default `administering`. */
  kind?: SessionKind;
  database?: string;
  /**
   * How long the client itself waits for the answer to a query: by default without end, and where a pooler may be in between a little
   * longer than the server has, as one that has no session free lets everybody wait.
   */
  queryTimeoutMs?: number;
  /** Whether the server owes a reply to somebody other than the driver, who uses the connection past it. */
  isWaiting?: () => boolean;
  /** Whether the session speaks the replication protocol beside simple queries; the login needs the right to replicate. */
  replication?: boolean;
}

/**
 * How long a connection may rest before the network is asked whether it is there, in milliseconds; ten unanswered questions, a
 * second apart, end it. It also keeps NAT gateways and load balancers of AWS from forgetting it, which they do after 350 s.
 */
const KEEP_ALIVE_MS = 30_000;

/** What an answer may take on its way, in milliseconds, beside the time that the server has for a statement. */
const ANSWER_MS = 5000;

/** How long a server may take to answer a goodbye before the connection is closed without it, in milliseconds. */
const GOODBYE_MS = 1000;

const DEFAULT_KIND: SessionKind = 'administering';

const poolers = new WeakMap<pg.Client, Pooler>();

/** The pooler that a connection goes through; null where it goes to the server itself. */
export function poolerOf(client: pg.Client): Pooler | null {
  return poolers.get(client) ?? null;
}

/**
 * Opens one connection, in the clean state that {@link startSession} brings it into. The caller ends it. When the server refuses the
 * login and the credentials have been rotated meanwhile, the new ones are tried once. A connection that is cut off without a word fails after a while (see
 * {@link watchSession}), and `end` never waits longer than a second.
 *
 * @throws OperationError `server_unsupported`, `authority_unknown`, `database_unreachable`, `login_refused`, `database_missing` or `tls_failed`; `server_needed` or
 * `statement_pooling` where a pooler is in between that does not do for this kind of session.
 */
export async function connect(target: ConnectionTarget, overrides: ConnectionOverrides = {}): Promise<pg.Client> {
  const { kind = DEFAULT_KIND } = overrides;
  const refusal = addressProblem(target);
  if (refusal) throw refusal;
  const pooler = poolerByAddress(target.host);
  if (pooler && !worksThroughPooler(kind)) throw serverNeededFor(kind, target, pooler);
  const credentials = await target.credentials();
  try {
    return await logIn(target, credentials, overrides);
  } catch (error) {
    if (!(error instanceof OperationError && error.code === 'login_refused')) throw error;
    const fresh = await target.credentials({ refused: credentials });
    if (fresh.user === credentials.user && fresh.password === credentials.password) throw error;
    return await logIn(target, fresh, overrides);
  }
}

async function logIn(
  target: ConnectionTarget,
  credentials: Credentials,
  overrides: ConnectionOverrides,
): Promise<pg.Client> {
  const client = await openClient(target, credentials, overrides);
  const { processID: processId, connection } = client as unknown as DriverInternals;
  const isWaiting = (): boolean => hasQueries(client) || overrides.isWaiting?.() === true;
  watchSession(
    { processId, stream: connection.stream, isWaiting },
    {
      silenceMs: target.silenceMs ?? SILENCE_MS,
      // As the same role, or the server would not tell; with what it logs in with now, as a token may be too old.
      open: async () => {
        const now = await target.credentials();
        return openClient(target, now.user === credentials.user ? now : credentials, {
          kind: 'monitoring',
          queryTimeoutMs: target.limits.connect_timeout_ms,
        });
      },
    },
  );
  return client;
}

/** What the driver knows and its types do not tell. */
interface DriverInternals {
  connection: { stream: Socket };
  /** null when the server has told none. */
  processID: number | null;
}

/** With TLS, without, or one after the other, as the target's mode says. */
async function openClient(
  target: ConnectionTarget,
  credentials: Credentials,
  overrides: ConnectionOverrides,
): Promise<pg.Client> {
  const [first = 'tls', second] = encryptionsOf(target);
  try {
    return await openEncrypted(target, credentials, overrides, first);
  } catch (error) {
    if (!second || !isRefusal(error)) throw error;
    return await openEncrypted(target, credentials, overrides, second).catch((other: unknown) => {
      // What was said over TLS counts, unless there is none.
      const [overTls, plain] = first === 'tls' ? [error, other] : [other, error];
      throw isRefusal(overTls) && overTls.code !== 'tls_failed' ? overTls : plain;
    });
  }
}

/** Refusals by which a server may mean the encryption, or the lack of it. */
const isRefusal = (error: unknown): error is OperationError =>
  error instanceof OperationError && ['tls_failed', 'login_refused'].includes(error.code);

/** The server asks a login for a password that has none. */
class PasswordRequired extends Error {
  constructor() {
    super('the server asks for a password, and the login has none');
  }
}

async function openEncrypted(
  target: ConnectionTarget,
  { user, password, certificate }: Credentials,
  overrides: ConnectionOverrides,
  encryption: Encryption,
): Promise<pg.Client> {
  const database = overrides.database ?? target.database;
  const { kind = DEFAULT_KIND } = overrides;
  const limits = limitsOf(kind, target.limits, overrides);
  const queryTimeoutMs = overrides.queryTimeoutMs ?? (worksThroughPooler(kind) ? waitFor(limits) : 0);
  const ssl = encryption === 'tls' && tlsOptions(target.tls, certificate);
  const options: pg.ClientConfig & { replication?: 'database' } = {
    host: target.host,
    port: target.port,
    database,
    user,
    // A function, as the driver would look for a password elsewhere in place of none.
    password: () => {
      if (password === null) throw new PasswordRequired();
      return password;
    },
    ssl,
    ...(ssl === false ? { stream: singleBufferSocket } : {}),
    application_name: target.applicationName,
    connectionTimeoutMillis: target.limits.connect_timeout_ms,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    ...(queryTimeoutMs > 0 ? { query_timeout: queryTimeoutMs } : {}),
    ...(overrides.replication ? { replication: 'database' } : {}),
  };
  const client = new pg.Client(options);
  // An idle connection's failure arrives as an event; the next query on it reports the cause.
  client.on('error', () => undefined);
  boundGoodbye(client);
  try {
    await client.connect();
    const { processID: announced } = client as unknown as DriverInternals;
    const pooler = await startSession(client, {
      kind,
      limits,
      announced,
      place: target,
      timeoutMs: target.limits.connect_timeout_ms,
    });
    if (pooler) poolers.set(client, poolerByAddress(target.host) ?? pooler);
    return client;
  } catch (error) {
    await client.end().catch(() => undefined);
    if (error instanceof OperationError) throw error;
    throw explainConnectionFailure(error, { ...target, database });
  }
}

const waitFor = ({ statementTimeoutMs }: SessionLimits): number =>
  statementTimeoutMs === 0 ? 0 : statementTimeoutMs + ANSWER_MS;

function boundGoodbye(client: pg.Client): void {
  const end = client.end.bind(client) as () => Promise<void>;
  const { connection } = client as unknown as DriverInternals;
  client.end = (async (): Promise<void> => {
    const cut = setTimeout(() => connection.stream.destroy(), GOODBYE_MS);
    await end().finally(() => clearTimeout(cut));
  }) as pg.Client['end'];
}

const LOGIN_REFUSED = new Set(['28P01', '28000']);

/** SQLSTATE of whatever PgBouncer refuses; a server sends it for nothing that can happen here. */
const PROTOCOL_VIOLATION = '08P01';

/** Turns a driver's or the network's error into words an administrator can act on. */
export function explainConnectionFailure(error: unknown, where: Place & { database: string }): OperationError {
  const place = `database "${where.database}" at ${where.host}:${where.port}`;
  const code = (error as { code?: string }).code ?? '';
  const message = error instanceof Error ? error.message : String(error);
  const refusal = code === PROTOCOL_VIOLATION ? poolerRefusal(message) : null;
  if (refusal === 'start_up') return startUpRefused(where, message, error);
  if (LOGIN_REFUSED.has(code) || refusal === 'login' || error instanceof PasswordRequired) {
    return new OperationError(
      'login_refused',
      `The server refused the login to ${place}: ${message}`,
      'Check the secret or the IAM login of this database, and pg_hba.conf.',
      { cause: error },
    );
  }
  if (code === '3D000' || refusal === 'database') {
    return new OperationError('database_missing', `There is no ${place}`, 'Check the configured name.', {
      cause: error,
    });
  }
  if (/certificate|SSL|TLS|self-signed/i.test(`${code} ${message}`)) {
    return new OperationError(
      'tls_failed',
      `No TLS connection to ${place}: ${message}`,
      'Check the certificate authority and the mode of `tls` in the configuration; plain text needs `tls: { mode: disable }`.',
      { cause: error },
    );
  }
  return new OperationError(
    'database_unreachable',
    `No connection to ${place}: ${message || code}`,
    refusal === null
      ? 'Check that the server runs, the address, the security group and the connection limit.'
      : 'A connection pooler has answered: check that the server behind it runs, and that the pooler has a session of it to give (default_pool_size, max_client_conn).',
    { cause: error },
  );
}
