import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ListBucketsCommand, ListMultipartUploadsCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { type LocalSystem, type ManagedDatabase, type SystemOptions, startSystem } from '../../../local/system.ts';
import { askFor } from '../../support/made-once/ask.ts';
import { type TestServer, withClient } from '../../support/servers.ts';

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
    system = await start();
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

/** A database of a test server, as the system is told of it. */
export function managed(server: TestServer, id: string, name: string): ManagedDatabase {
  const { host, port, user, password } = server;
  return { id, host, port, name, user, password };
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
  return withClient(server, 'postgres', async (client) => {
    const { rows } = await client.query<{ application: string; waits: string | null }>(
      `SELECT application_name AS application, wait_event_type AS waits FROM pg_stat_activity WHERE application_name LIKE 'dbms %' AND application_name <> 'dbms sample'`,
    );
    return rows;
  });
}
