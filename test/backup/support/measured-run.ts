import { join } from 'node:path';
import { S3Client } from '@aws-sdk/client-s3';
import { z } from 'zod';
import { runBackup } from '../../../shared/backup/export/run-backup.ts';
import { runRestore } from '../../../shared/backup/restore/run-restore.ts';
import { runtimeConfigurationSchema } from '../../../shared/configuration/runtime.ts';
import type { TestServer } from '../../support/postgres-server.ts';

/**
 * Takes a backup and restores it in a process of its own, as in a function, and prints the most memory that this took. Its argument
 * is JSON: a test server, its database, and where the store is.
 */
const argument = z.object({
  server: z.custom<TestServer>(),
  database: z.string(),
  restored: z.string(),
  id: z.string(),
  jobId: z.string(),
  endpoint: z.string(),
  bucket: z.string(),
  keyArn: z.string(),
});
const { server, database, restored, id, jobId, endpoint, bucket, keyArn } = argument.parse(
  JSON.parse(process.argv[2] ?? ''),
);
const { host, port, user, password } = server;
const target = {
  host,
  port,
  database,
  tls: { mode: 'disable' as const },
  applicationName: 'measured run',
  credentials: async () => ({ user, password }),
  limits: runtimeConfigurationSchema.shape.connections.parse({}),
};
const shared = {
  store: {
    s3: new S3Client({
      endpoint,
      region: 'us-east-1',
      credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
    }),
    bucket,
    keyArn,
  },
  settings: runtimeConfigurationSchema.shape.backups.parse({}),
  report: async () => undefined,
  signal: AbortSignal.timeout(600_000),
};
const { totals } = await runBackup(
  { id, database: 'tested', backupType: 'full', customName: null, requestedBy: 'test' },
  { ...shared, target, postgresToolsPath: join(import.meta.dirname, '../../../node_modules') },
);
const backup = process.resourceUsage().maxRSS;
await runRestore(
  { jobId, backupId: id, database: 'tested', targetDatabase: restored },
  { ...shared, target: { ...target, database: 'postgres' } },
);
process.stdout.write(JSON.stringify({ totals, kilobytes: { backup, restore: process.resourceUsage().maxRSS } }));
process.exit();
