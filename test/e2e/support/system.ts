import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ListBucketsCommand, ListMultipartUploadsCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { type LocalSystem, type ManagedDatabase, type SystemOptions, startSystem } from '../../../local/system.ts';
import { quoteIdentifier } from '../../../shared/postgres/identifiers.ts';
import { askFor } from '../../support/made-once/ask.ts';
import { managedNames, managedProfile } from '../../support/managed-profile.ts';
import { seenWhole, type TestServer, withClient } from '../../support/servers.ts';

export interface TestSystem {
  /** The running system. */
  readonly current: LocalSystem;
  /** Where it writes all that it writes. */
  readonly stateFolder: string;
  /** Stops the system and starts it again on the same state. */
  restart(between?: () => Promise<void>): Promise<void>;
  /** Stops it and removes its state. */
  end(): Promise<void>;
}

/** Starts the whole system from the synthesized app, in a folder of its own, on free ports. */
export async function startTestSystem(options: Omit<SystemOptions, 'stateFolder'>): Promise<TestSystem> {
  const stateFolder = await mkdtemp(join(tmpdir(), 'e2e-system-'));
  // Tests ask again and again how jobs are.
  const deployment = { requests_per_minute: 100_000, ...options.deployment };
  // Jobs pause between attempts; their number and order are what counts here.
  const start = () =>
    startSystem({
      durableRetryMilliseconds: 100,
      durableWaitShare: 0.1,
      synthesize: (configuration) => askFor('assemblies', JSON.stringify(configuration)),
      ...options,
      deployment,
      stateFolder,
    });
  const remove = () => rm(stateFolder, { recursive: true, force: true, maxRetries: 5 });
  let system: LocalSystem;
  try {
    await grantLogins();
    system = await start();
    await describeManaged(system);
  } catch (error) {
    await remove();
    throw error;
  }
  return {
    stateFolder,
    get current() {
      return system;
    },
    async restart(between = async () => undefined) {
      await system.stop();
      await between();
      system = await start();
    },
    async end() {
      await system.stop();
      await remove();
    },
  };
}

/** A database of a test server, as the system is told of it: with the login of the guide, where the server is managed. */
export function managed(server: TestServer, id: string, name: string): ManagedDatabase {
  const { host, port, user, password } = server;
  if (!server.managed) return { id, host, port, name, user, password };
  const { kind, login } = server.managed;
  toBeGranted.push({ server, name });
  return { id, host, port, name, ...login, kind, instance_id: managedNames.instance };
}

/** Managed databases that the system is to be told of, by their names and the servers that they are really on. */
const toBeGranted: { server: TestServer; name: string }[] = [];
const loginScripts = ['rds', 'drills'].map((name) => join(import.meta.dirname, `../../../docs/logins/${name}.sql`));

/** What the guide tells the master user, and the owners of what is there, to run in each database. */
export async function grantLogins(): Promise<void> {
  const scripts = await Promise.all(loginScripts.map((path) => readFile(path, 'utf8')));
  for (const { server, name } of toBeGranted.splice(0)) {
    const asOwner = (sql: string) => withClient(server, name, (client) => client.query(sql));
    const { master = server } = server.managed ?? {};
    try {
      await asOwner(`GRANT CREATE ON DATABASE ${quoteIdentifier(name)} TO ${quoteIdentifier(master.user)}`);
    } catch (error) {
      const NO_SUCH_DATABASE = '3D000';
      if ((error as { code?: string }).code === NO_SUCH_DATABASE) continue;
      throw error;
    }
    const notGranted: string[] = [];
    await withClient({ ...server, ...master }, name, async (client) => {
      client.on('notice', ({ message = '' }) => {
        const [, role] = /^The role (.*) was not granted to dbms/.exec(message) ?? [];
        if (role !== undefined) notGranted.push(role);
      });
      for (const script of scripts) await client.query(script);
    });
    const options = server.version >= 16 ? ' WITH INHERIT TRUE, SET TRUE' : '';
    for (const role of notGranted) await asOwner(`GRANT ${quoteIdentifier(role)} TO dbms${options}`);
  }
}

/** Tells the local RDS API of the instance that the managed databases are said to be on. */
async function describeManaged({ services }: LocalSystem): Promise<void> {
  const kind = managedProfile();
  if (kind === null) return;
  const { instance, cluster } = managedNames;
  const common = {
    Engine: kind === 'rds' ? 'postgres' : 'aurora-postgresql',
    EngineVersion: '18.1',
    StorageEncrypted: true,
  };
  const member =
    kind === 'aurora' ? { DBClusterIdentifier: cluster } : { AllocatedStorage: 20, MaxAllocatedStorage: 100 };
  await services.putInstance({
    ...common,
    ...member,
    DBInstanceIdentifier: instance,
    DBInstanceClass: 'db.t4g.medium',
  });
  if (kind === 'rds') return;
  const DBClusterMembers = [{ DBInstanceIdentifier: instance, IsClusterWriter: true }];
  await services.putCluster({ ...common, DBClusterIdentifier: cluster, DBClusterMembers });
}

/** The bucket of the backups, seen with the tests' own client. */
export async function openBucket({ services }: LocalSystem) {
  const s3 = new S3Client({
    endpoint: services.endpoints.s3,
    region: 'us-east-1',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  });
  const { Buckets = [] } = await s3.send(new ListBucketsCommand({}));
  const Bucket = Buckets.map(({ Name = '' }) => Name).find((name) => /backups/.test(name) && !/log/.test(name)) ?? '';
  return {
    s3,
    name: Bucket,
    /** Keys of the objects whose key holds `part`. */
    async keys(part: string): Promise<string[]> {
      const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket }));
      return Contents.map(({ Key = '' }) => Key).filter((key) => key.includes(part));
    },
    async unfinishedUploads(): Promise<string[]> {
      const { Uploads = [] } = await s3.send(new ListMultipartUploadsCommand({ Bucket }));
      return Uploads.map(({ Key = '' }) => Key);
    },
  };
}

/** What the system's sessions on a server are doing, but for the one that samples. */
export function sessionsOn(server: TestServer): Promise<{ application: string; waits: string | null }[]> {
  return withClient(seenWhole(server), 'postgres', async (client) => {
    const { rows } = await client.query<{ application: string; waits: string | null }>(
      `SELECT application_name AS application, wait_event_type AS waits FROM pg_stat_activity WHERE application_name LIKE 'dbms %' AND application_name <> 'dbms sample'`,
    );
    return rows;
  });
}
