import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CreateBucketCommand,
  GetObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
  S3Client,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, vi } from 'vitest';
import { type LocalServices, startServices } from '../../../local/aws/services.ts';
import { type BackupDependencies, type BackupRequest, runBackup } from '../../../shared/backup/export/run-backup.ts';
import { backupPrefix } from '../../../shared/backup/layout.ts';
import type { Manifest } from '../../../shared/backup/manifest.ts';
import type { ObjectStore } from '../../../shared/backup/objects/object-store.ts';
import {
  type RestoreDependencies,
  type RestoreRequest,
  type RestoreSummary,
  runRestore,
} from '../../../shared/backup/restore/run-restore.ts';
import type { BackupSettings } from '../../../shared/configuration/runtime.ts';
import type { ConnectionTarget } from '../../../shared/postgres/connect.ts';
import { newBackupId, newJobId } from '../../../shared/state/ids.ts';
import { clientOptions } from '../../local/aws/support.ts';
import { connectTo, dropDatabase, type ScratchDatabase, type TestServer, targetFor } from '../../support/servers.ts';

/** What the product calls the database that these tests back up. */
export const DATABASE_ID = 'tested';

/** The smallest chunks there are, so that tables of a few megabytes become several objects. */
const SETTINGS: BackupSettings = {
  retention_days: 1,
  compression_level: 1,
  connections: 2,
  chunk_bytes: 1_048_576,
  lanes: 2,
  connection_share: 0.5,
};

export interface BackUpOptions extends Partial<Omit<BackupDependencies, 'settings' | 'target'>> {
  /** The backup's id, for tests that must know it also when the backup fails. */
  id?: string;
  settings?: Partial<BackupSettings>;
  /** What else is asked for: a type, a selection. By default a full backup of the whole database. */
  request?: Partial<BackupRequest>;
}

export interface RestoreOptions extends Partial<Omit<RestoreDependencies, 'settings' | 'target'>> {
  jobId?: string;
  settings?: Partial<BackupSettings>;
  /** The new database's name; by default one that no other test uses. */
  name?: string;
  /** Where CREATE DATABASE is sent from, and as whom; by default the server's `postgres` as superuser. */
  target?: ConnectionTarget;
  /** What else is asked for: a selection, a swap, a mapping of roles. */
  request?: Partial<RestoreRequest>;
}

/** A restored database. It is dropped at the end of the test file. */
export type RestoredDatabase = ScratchDatabase & { summary: RestoreSummary };

export interface BackupHarness {
  readonly services: LocalServices;
  readonly store: ObjectStore;
  /** Takes a backup with the product's own function. */
  backUp(target: ConnectionTarget, options?: BackUpOptions): Promise<Manifest>;
  /** Restores a backup, given by its manifest or its id, into a new database of `server` with the product's own function. */
  restore(backup: Pick<Manifest, 'id'>, server: TestServer, options?: RestoreOptions): Promise<RestoredDatabase>;
  /** Keys of a backup's objects, sorted. */
  keys(backup: Pick<Manifest, 'id'>): Promise<string[]>;
  /** An object's stored bytes. */
  read(key: string): Promise<Buffer>;
  /** Keys of all uploads in the bucket that are neither complete nor aborted. */
  unfinishedUploads(): Promise<string[]>;
}

/**
 * Starts local AWS services for a test file, with a bucket and a key, and directs the AWS SDK to them. All of it, and every
 * restored database, is gone when the file's tests have run.
 *
 * @example
 * const harness = useBackupHarness();
 * test('...', async () => {
 *   const manifest = await harness.backUp(source.target());
 *   const restored = await harness.restore(manifest, source.server);
 * });
 */
export function useBackupHarness(): BackupHarness {
  let folder: string;
  let services: LocalServices;
  let store: ObjectStore;
  const restored: { server: TestServer; name: string }[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'backup-tests-'));
    services = await startServices({ stateFolder: folder });
    // The encryption library makes its KMS client by itself, from the environment.
    for (const [name, value] of Object.entries(services.environment())) vi.stubEnv(name, value);
    const s3 = new S3Client({ ...clientOptions(services.endpoints.s3), maxAttempts: 3 });
    store = { s3, bucket: 'backups', keyArn: await services.createKey() };
    await s3.send(new CreateBucketCommand({ Bucket: store.bucket }));
  });
  afterAll(async () => {
    for (const { server, name } of restored) await dropDatabase(server, name);
    store?.s3.destroy();
    await services?.close();
    vi.unstubAllEnvs();
    await rm(folder, { recursive: true, force: true });
  });

  return {
    get services() {
      return services;
    },
    get store() {
      return store;
    },
    backUp: (target, { id = newBackupId(), settings, request, ...changes } = {}) =>
      runBackup(
        { id, database: DATABASE_ID, backupType: 'full', customName: null, requestedBy: 'test', ...request },
        {
          target,
          store,
          settings: { ...SETTINGS, ...settings },
          wholeBytes: 0,
          postgresToolsPath: join(import.meta.dirname, '../../../node_modules'),
          report: async () => undefined,
          signal: new AbortController().signal,
          ...changes,
        },
      ),
    async restore({ id }, server, { jobId = newJobId(), settings, name, target, request, ...changes } = {}) {
      const targetDatabase = name ?? `restored_${randomBytes(6).toString('hex')}`;
      const summary = await runRestore(
        { jobId, backupId: id, database: DATABASE_ID, targetDatabase, ...request },
        {
          target: target ?? targetFor(server, 'postgres'),
          store,
          settings: { ...SETTINGS, ...settings },
          report: async () => undefined,
          signal: new AbortController().signal,
          ...changes,
        },
      );
      restored.push({ server, name: targetDatabase });
      return {
        name: targetDatabase,
        server,
        connect: () => connectTo(server, targetDatabase),
        target: (overrides) => targetFor(server, targetDatabase, overrides),
        drop: () => dropDatabase(server, targetDatabase),
        summary,
      };
    },
    async keys({ id }) {
      const found: string[] = [];
      let token: string | undefined;
      do {
        const page: ListObjectsV2CommandOutput = await store.s3.send(
          new ListObjectsV2Command({
            Bucket: store.bucket,
            Prefix: backupPrefix(DATABASE_ID, id),
            ...(token ? { ContinuationToken: token } : {}),
          }),
        );
        found.push(...(page.Contents ?? []).flatMap(({ Key }) => Key ?? []));
        token = page.NextContinuationToken;
      } while (token);
      return found.sort();
    },
    async read(key) {
      const { Body } = await store.s3.send(new GetObjectCommand({ Bucket: store.bucket, Key: key }));
      return Buffer.from((await Body?.transformToByteArray()) ?? []);
    },
    async unfinishedUploads() {
      const { Uploads = [] } = await store.s3.send(new ListMultipartUploadsCommand({ Bucket: store.bucket }));
      return Uploads.flatMap(({ Key }) => Key ?? []);
    },
  };
}
