/**
 * AWS's public list prices in USD, without any free tier and without taxes, as its price pages gave them in November 2026. Change them here
 * and run `npm run costs`; docs/costs.md is made of them.
 */
export const pricesOf = '2026-11';

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
  readonly dynamodb_storage: number;
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
  scheduler_invocation: 1,
  get_metric: 0.01,
  put_metric: 0.01,
  mail: 0.1,
  kms_request: 0.03,
  secret_request: 0.05,
} as const;

/** By region. Sources: the page `aws.amazon.com/<service>/pricing` of each service. */
export const prices = {
  'us-east-1': {
    ...everywhere,
    s3_storage: 0.023,
    s3_put: 0.005,
    dynamodb_storage: 0.25,
    dynamodb_write: 0.625,
    dynamodb_read: 0.125,
    log_ingestion: 0.5,
    log_storage: 0.03,
    api_request: 3.5,
  },
  'eu-central-1': {
    ...everywhere,
    s3_storage: 0.0245,
    s3_put: 0.0054,
    dynamodb_storage: 0.306,
    dynamodb_write: 0.7625,
    dynamodb_read: 0.1525,
    log_ingestion: 0.63,
    log_storage: 0.0324,
    api_request: 3.7,
  },
} as const satisfies Readonly<Record<string, Prices>>;

export type PricedRegion = keyof typeof prices;
