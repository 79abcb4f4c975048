import { CloudWatchClient } from '@aws-sdk/client-cloudwatch';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { KMSClient } from '@aws-sdk/client-kms';
import { LambdaClient } from '@aws-sdk/client-lambda';
import { RDSClient } from '@aws-sdk/client-rds';
import { S3Client } from '@aws-sdk/client-s3';
import { SchedulerClient } from '@aws-sdk/client-scheduler';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { SESClient } from '@aws-sdk/client-ses';

/**
 * The AWS clients of one execution environment, each made at its first use. Region, credentials and endpoints come from the
 * environment, so the same code talks to AWS and to local endpoints (`AWS_ENDPOINT_URL_*`).
 */

/** For calls that answer at once: a lost packet must not cost an invocation. Milliseconds. */
export const quick = {
  maxAttempts: 4,
  retryMode: 'standard',
  requestHandler: { connectionTimeout: 2_000, requestTimeout: 8_000, throwOnRequestTimeout: true },
} as const;

/** For whole parts of objects. A socket may rest while the database takes what was read. */
const bulk = {
  maxAttempts: 5,
  retryMode: 'standard',
  requestHandler: {
    connectionTimeout: 5_000,
    requestTimeout: 120_000,
    throwOnRequestTimeout: true,
    socketTimeout: 300_000,
  },
} as const;

function once<Client>(make: () => Client): () => Client {
  let client: Client | undefined;
  return () => {
    client ??= make();
    return client;
  };
}

export const cloudwatchClient = /* @__PURE__ */ once(() => new CloudWatchClient(quick));
export const dynamodbClient = /* @__PURE__ */ once(() => new DynamoDBClient(quick));
export const kmsClient = /* @__PURE__ */ once(() => new KMSClient(quick));
export const lambdaClient = /* @__PURE__ */ once(() => new LambdaClient(quick));
/** Without attempts of its own: a mail that SES may have taken must not be sent again. */
export const sesClient = /* @__PURE__ */ once(() => new SESClient({ ...quick, maxAttempts: 1 }));
export const schedulerClient = /* @__PURE__ */ once(() => new SchedulerClient(quick));
export const rdsClient = /* @__PURE__ */ once(() => new RDSClient(quick));
export const secretsManagerClient = /* @__PURE__ */ once(() => new SecretsManagerClient(quick));
export const s3Client = /* @__PURE__ */ once(() => new S3Client(bulk));
