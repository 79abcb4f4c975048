import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { AttachedServer } from '../../local/aws/rds/attached-server.ts';
import type { ManagedKind } from '../../local/postgres/managed/profile.ts';
import { type ManagedServer, startManagedServer } from './managed-server.ts';
import { embeddedBinaries, installedBinaries, type PostgresBinaries } from './postgres-binaries.ts';

/** A managed server that a major upgrade over the local RDS API really puts onto another version, at the same address. */
export interface UpgradableServer {
  /** The server as it is now. */
  readonly now: ManagedServer;
  /** For `attachServer` of the local RDS API. */
  readonly attached: AttachedServer;
  stop(): Promise<void>;
}

/** What an upgrade starts from and ends at on this machine; null: there is no older version with its own programs. */
export async function upgradeBinaries(): Promise<{ from: PostgresBinaries; to: PostgresBinaries } | null> {
  const to = await embeddedBinaries();
  const from = (await installedBinaries()).find(({ version, pgDump }) => version < to.version && pgDump !== undefined);
  return from ? { from, to } : null;
}

/**
 * Starts a managed server of the older version. Its upgrade moves roles and databases by `pg_dumpall`, as the newer version comes without
 * pg_upgrade: as after that, there is another system identifier, and no slot.
 */
export async function startUpgradableServer(
  kind: ManagedKind,
  { from, to }: { from: PostgresBinaries; to: PostgresBinaries },
  parameters: Record<string, string>,
): Promise<UpgradableServer> {
  const passwords = { rdsadmin: randomBytes(12).toString('hex'), master: randomBytes(12).toString('hex') };
  let latest: Readonly<Record<string, string>> = parameters;
  let now = await startManagedServer(kind, { binaries: from, parameters, passwords });
  const attached: AttachedServer = {
    setParameters: async (changed) => {
      latest = changed;
      await now.managed.setParameters(changed);
    },
    setPlace: (place) => now.managed.setPlace(place),
    restart: () => now.managed.restart(),
    logicalSlots: () => now.managed.logicalSlots(),
    get log() {
      return now.managed.log;
    },
    async upgrade(major) {
      if (major !== to.version) throw new Error(`There is no PostgreSQL ${major} here to upgrade to`);
      const { port } = now.server;
      const script = await dumpAll(now, from);
      await now.stop();
      now = await startManagedServer(kind, { binaries: to, parameters: { ...latest }, passwords, port });
      await load(now, from, script);
      await now.managed.settle();
    },
  };
  return {
    get now() {
      return now;
    },
    attached,
    stop: () => now.stop(),
  };
}

const addressOf = ({ behind }: ManagedServer) => ({
  flags: ['--host', behind.host, '--port', String(behind.port), '--username', behind.user],
  env: { ...process.env, PGPASSWORD: behind.password },
});

async function dumpAll(server: ManagedServer, { folder }: PostgresBinaries): Promise<string> {
  const { flags, env } = addressOf(server);
  const { stdout } = await promisify(execFile)(
    join(folder, 'pg_dumpall'),
    [...flags, '--database', 'postgres', '--exclude-database', 'rdsadmin', '--exclude-database', 'template1'],
    { env, maxBuffer: 256 * 1_048_576 },
  );
  // As pg_upgrade has it to 16 and later: older servers did not keep grantors with care.
  return stdout.replaceAll(/^(GRANT .+) GRANTED BY .+;$/gm, '$1;');
}

/** Roles that AWS has made are there already; what else fails shows in the tests. */
async function load(server: ManagedServer, { folder }: PostgresBinaries, script: string): Promise<void> {
  const { flags, env } = addressOf(server);
  const psql = spawn(join(folder, 'psql'), [...flags, '--dbname', 'postgres', '--quiet', '--no-psqlrc'], {
    env,
    cwd: dirname(folder),
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  psql.stdin.on('error', () => undefined);
  psql.stdin.end(script);
  const [code] = await once(psql, 'exit');
  if (code !== 0) throw new Error(`psql ended with ${code}`);
}
