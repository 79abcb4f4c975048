import { GetItemCommand } from '@aws-sdk/client-dynamodb';
import { GenerateDataKeyCommand } from '@aws-sdk/client-kms';
import { CreateBucketCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, afterEach, beforeAll, test, vi } from 'vitest';
import { dynamodbClient, kmsClient, s3Client } from '../../shared/aws/clients.ts';
import { type StateService, startState } from '../state/support.ts';

let state: StateService;
let KeyId: string;
beforeAll(async () => {
  state = await startState();
  for (const [name, value] of Object.entries(state.services.environment())) vi.stubEnv(name, value);
  KeyId = await state.services.createKey();
  await s3Client().send(new CreateBucketCommand({ Bucket: 'backups' }));
});
afterEach(() => state.services.faults.clear());
afterAll(async () => {
  for (const client of [s3Client(), kmsClient(), dynamodbClient()]) client.destroy();
  vi.unstubAllEnvs();
  await state?.close();
});

const put = () => s3Client().send(new PutObjectCommand({ Bucket: 'backups', Key: 'part', Body: 'rows' }));
const makeKey = () => kmsClient().send(new GenerateDataKeyCommand({ KeyId, KeySpec: 'AES_256' }));
const read = () =>
  dynamodbClient().send(new GetItemCommand({ TableName: state.table.name, Key: { pk: { S: 'x' }, sk: { S: 'x' } } }));

// A test's own clients elsewhere say nothing of those that the functions have.
test.each([
  ['S3 is slow', put, { service: 's3', status: 503, code: 'SlowDown' }],
  ['S3 fails', put, { service: 's3', status: 500, code: 'InternalError' }],
  ['KMS throttles', makeKey, { service: 'kms', status: 400, code: 'ThrottlingException' }],
  ['DynamoDB throttles', read, { service: 'dynamodb', status: 400, code: 'ProvisionedThroughputExceededException' }],
  ['DynamoDB fails', read, { service: 'dynamodb', status: 500, code: 'InternalServerError' }],
] as const)('the clients of the functions try again when %s', async (_, call, fault) => {
  await state.services.faults.set({ ...fault, times: 1 });
  await call();
});
