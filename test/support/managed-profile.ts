import { randomBytes } from 'node:crypto';
import type { ManagedKind } from '../../local/postgres/managed/profile.ts';
import { type ManagedServer, startManagedServer } from './managed-server.ts';
import type { PostgresBinaries } from './postgres-binaries.ts';
import type { TestServer } from './postgres-server.ts';

/** What the servers of the tests are to behave as; null: they are plain ones. `npm run managed` sets it, see commands/managed.ts. */
export function managedProfile(): ManagedKind | null {
  const kind = process.env.MANAGED_PROFILE;
  if (kind === undefined || kind === '') return null;
  if (kind !== 'rds' && kind !== 'aurora') throw new Error(`MANAGED_PROFILE=${kind} is neither rds nor aurora`);
  return kind;
}

/** Of the instance, and of the cluster that it is in. */
export const managedNames = { instance: 'tests-1', cluster: 'tests' } as const;

/**
 * Starts a managed server for tests of the whole system. The tests make their objects as an application's owner; this system logs in with
 * the login of the guide.
 */
export async function startProfiledServer(
  kind: ManagedKind,
  binaries: PostgresBinaries,
): Promise<{ server: TestServer; stop: ManagedServer['stop'] }> {
  const { server, behind, managed, asMaster, stop } = await startManagedServer(kind, {
    binaries,
    // As the guides ask for; the second in MB.
    parameters: { 'rds.logical_replication': '1', max_slot_wal_keep_size: '10240' },
  });
  try {
    const [owner, login] = [randomBytes(12).toString('hex'), randomBytes(12).toString('hex')];
    await asMaster(
      'postgres',
      `CREATE ROLE shop_owner LOGIN CREATEDB CREATEROLE PASSWORD '${owner}'`,
      `CREATE ROLE dbms LOGIN PASSWORD '${login}'`,
    );
    const profiled: TestServer = {
      ...server,
      user: 'shop_owner',
      password: owner,
      managed: {
        kind,
        master: managed.master,
        behind: { user: behind.user, password: behind.password },
        login: { user: 'dbms', password: login },
      },
    };
    return { server: profiled, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
