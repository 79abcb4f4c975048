/**
 * AWS's public list prices in USD, without any free tier and without taxes. Change them here and run `npm run costs`: docs/costs.md is
 * made of them. Each was compared with published excerpts of AWS's own data, not with that data itself:
 *
 * - AWS's Price List (`pricing.us-east-1.amazonaws.com/offers/v1.0/aws/<service>/current/<region>/index.json`), excerpts of August 2026,
 *   both regions: DynamoDB, S3, SQS, EventBridge Scheduler, and CloudWatch's alarms, custom metrics, `PutMetricData` and logs. API
 *   Gateway: eu-central-1.
 * - Worked examples on AWS's price pages in September 2026, us-east-1: Lambda's requests and durable operations, Cognito (Essentials),
 *   Secrets Manager.
 * - What others quote from those pages, us-east-1: dashboards, `GetMetricData`, Lambda's GB-second on arm64, API Gateway, X-Ray, SES, KMS.
 *
 * Prices of the last two groups are assumed to be the same in eu-central-1.
 */
export const pricesOf = 'August and September 2026';

export interface Prices {
  /** A month. */
  readonly alarm_metric: number;
  readonly composite_alarm: number;
  readonly custom_metric: number;
  readonly dashboard: number;
  readonly kms_key: number;
  readonly secret: number;
  readonly cognito_user: number;
  /** A GB and month. */
  readonly s3_storage: number;
  readonly log_storage: number;
  /** A GB. */
  readonly log_ingestion: number;
  /** A GB-second on arm64. */
  readonly lambda_gb_second: number;
  /** A million. */
  readonly lambda_request: number;
  readonly durable_operation: number;
  readonly dynamodb_write: number;
  readonly dynamodb_read: number;
  readonly sqs_request: number;
  readonly api_request: number;
  readonly trace: number;
  readonly scheduler_invocation: number;
  /** A thousand. */
  readonly get_metric: number;
  readonly put_metric: number;
  readonly s3_put: number;
  readonly mail: number;
  /** Ten thousand. */
  readonly kms_request: number;
  readonly secret_request: number;
}

const everywhere = {
  alarm_metric: 0.1,
  composite_alarm: 0.5,
  custom_metric: 0.3,
  dashboard: 3,
  kms_key: 1,
  secret: 0.4,
  cognito_user: 0.015,
  lambda_gb_second: 0.0000133334,
  lambda_request: 0.2,
  durable_operation: 8,
  sqs_request: 0.4,
  trace: 5,
  get_metric: 0.01,
  put_metric: 0.01,
  mail: 0.1,
  kms_request: 0.03,
  secret_request: 0.05,
} as const;

/** By region. */
export const prices = {
  'us-east-1': {
    ...everywhere,
    s3_storage: 0.023,
    s3_put: 0.005,
    dynamodb_write: 0.625,
    dynamodb_read: 0.125,
    log_ingestion: 0.5,
    log_storage: 0.03,
    api_request: 3.5,
    scheduler_invocation: 1,
  },
  'eu-central-1': {
    ...everywhere,
    s3_storage: 0.0245,
    s3_put: 0.0054,
    dynamodb_write: 0.7625,
    dynamodb_read: 0.1525,
    log_ingestion: 0.63,
    log_storage: 0.0324,
    api_request: 3.7,
    scheduler_invocation: 1.15,
  },
} as const satisfies Readonly<Record<string, Prices>>;

export type PricedRegion = keyof typeof prices;
