import { s3Client } from '../../aws/clients.ts';
import type { ObjectStore } from '../../backup/objects/object-store.ts';
import { readEnvironment } from '../../configuration/environment.ts';

/** The archive of the audit trails, for who reads it. What was stored before it had a key of its own, the key of the backups opens. */
export function openArchive(): ObjectStore {
  const { auditBucket, archiveKeyArn, backupKeyArn } = readEnvironment([
    'auditBucket',
    'archiveKeyArn',
    'backupKeyArn',
  ]);
  return { s3: s3Client(), bucket: auditBucket, keyArn: archiveKeyArn, formerKeyArns: [backupKeyArn] };
}
