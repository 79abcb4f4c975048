import { S3Client } from '@aws-sdk/client-s3';
import { runDrill } from '../../../shared/backup/validate/drill.ts';

/** Makes one drill in a process of its own, which a test can kill. */
const { drill, target, credentials, bucket, keyArn, settings } = JSON.parse(process.argv[2] ?? '{}');
await runDrill(drill, {
  target: { ...target, credentials: async () => credentials },
  store: { s3: new S3Client({ forcePathStyle: true }), bucket, keyArn },
  settings,
  report: async () => undefined,
  signal: new AbortController().signal,
  hasEnded: async () => false,
});
