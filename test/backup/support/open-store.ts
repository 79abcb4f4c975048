import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import type { LocalServices } from '../../../local/aws/services.ts';
import type { ObjectStore } from '../../../shared/backup/objects/object-store.ts';
import { clientOptions } from '../../local/aws/support.ts';

/** A new bucket and key in the services, which the test's process is told of: the encryption library makes its own client of KMS. */
export async function openStore(services: LocalServices, bucket: string): Promise<ObjectStore> {
  Object.assign(process.env, services.environment());
  const s3 = new S3Client(clientOptions(services.endpoints.s3));
  await s3.send(new CreateBucketCommand({ Bucket: bucket }));
  return { s3, bucket, keyArn: await services.createKey() };
}
