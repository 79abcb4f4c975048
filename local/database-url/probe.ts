import type pg from 'pg';
import { connect } from '../../shared/postgres/connect.ts';
import { encryptionsOf } from '../../shared/postgres/tls.ts';
import { DatabaseUrlError } from './error.ts';
import { explainFailure, explainGreeting } from './explain.ts';
import { greet } from './greeting.ts';
import { lookUp } from './lookup.ts';
import { placeOf } from './place.ts';
import { serverFactsSql, systemIdentifierSql } from './server-facts.sql.ts';
import type { DatabaseAddress } from './settings.ts';
import { targetOf } from './target.ts';

/** What a server says of itself. */
export interface ServerFacts {
  /** Such as `18.4`. */
  version: string;
  /** Null where the login may not read it. */
  systemIdentifier: string | null;
  isEncrypted: boolean;
}

/** How long finding out may take, unless the address has a `connect_timeout`. Milliseconds. */
const patience = 1800;
const oldestVersion = 13;

/**
 * Logs in to a database once, as the functions will, so that what is wrong is said before anything is started.
 *
 * @throws DatabaseUrlError within 1.8 seconds, or within `connect_timeout`; or the signal's reason
 */
export async function probe(address: DatabaseAddress, signal?: AbortSignal): Promise<ServerFacts> {
  const allowed = address.connectTimeoutMs ?? patience;
  const deadline = performance.now() + allowed;
  const left = (): number => Math.max(1, Math.round(deadline - performance.now()));
  const end = Promise.withResolvers<never>();
  // The parts, which know more of what they wait for, come first.
  const timer = setTimeout(() => end.reject(new Error('timeout expired')), allowed + 100);
  end.promise.catch(() => undefined);
  const aborted = (): void => end.reject(signal?.reason);
  signal?.addEventListener('abort', aborted, { once: true });
  let client: pg.Client | undefined;
  let isOver = false;
  try {
    await Promise.race([lookUp(address.host, left()), end.promise]);
    const greeting = await Promise.race([greet(address, left()), end.promise]);
    const needsTls = !encryptionsOf(address).includes('plain');
    const failure = explainGreeting(greeting, address, { needsTls, allowed });
    if (failure) throw failure;
    const opening = connect(targetOf(address, left(), 'dbms start'), { queryTimeoutMs: left() });
    // One that comes too late is closed.
    opening.then(
      async (late) => {
        if (isOver) await late.end();
      },
      () => undefined,
    );
    client = await Promise.race([opening, end.promise]);
    return await Promise.race([readFacts(client, address), end.promise]);
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    throw error instanceof DatabaseUrlError ? error : explainFailure(error, address, allowed);
  } finally {
    isOver = true;
    clearTimeout(timer);
    signal?.removeEventListener('abort', aborted);
    await client?.end();
  }
}

async function readFacts(client: pg.Client, address: DatabaseAddress): Promise<ServerFacts> {
  const { rows } = await client.query<{ version: string; version_number: number; is_encrypted: boolean }>(
    serverFactsSql,
  );
  const [{ version = '', version_number = 0, is_encrypted = false } = {}] = rows;
  if (version_number < oldestVersion * 10_000) {
    throw new DatabaseUrlError(
      `${placeOf(address)} runs PostgreSQL ${version}`,
      `Upgrade the server: versions from ${oldestVersion} on are supported.`,
    );
  }
  const identified = await client.query<{ system_identifier: string }>(systemIdentifierSql).catch(() => null);
  return {
    version: version.split(' ')[0] ?? '',
    systemIdentifier: identified?.rows[0]?.system_identifier ?? null,
    isEncrypted: is_encrypted,
  };
}
