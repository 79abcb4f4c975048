import type * as dynamodb from 'aws-cdk-lib/aws-dynamodb';
import type * as iam from 'aws-cdk-lib/aws-iam';
import { FUNCTIONS_PARTITION } from '../../../shared/alerts/troubled-functions.ts';
import { ASKED_PREFIX } from '../../../shared/health/sample-on-demand.ts';
import { samplePartitions } from '../../../shared/health/sample-store.ts';
import { CALLS_PREFIX } from '../../../shared/security/access/count-calls.ts';
import { REFUSED_PREFIX } from '../../../shared/security/access/refused-authentications.ts';
import { stateKeys } from '../../../shared/state/table.ts';
import { allow } from './allow.ts';

/** Reads and writes of single items; `Query` reads the index of collections alone. */
export function useState(
  table: dynamodb.Table,
  operations: readonly ('Get' | 'Put' | 'Update' | 'Delete' | 'Query')[],
): iam.PolicyStatement[] {
  const items = operations.filter((operation) => operation !== 'Query').map((operation) => `dynamodb:${operation}Item`);
  return [
    ...(items.length > 0 ? [allow(items, [table.tableArn])] : []),
    ...(operations.includes('Query')
      ? [allow(['dynamodb:Query'], [`${table.tableArn}/index/${stateKeys.index}`])]
      : []),
  ];
}

/** Counts the calls of each caller, and changes nothing else. */
export function countCalls(table: dynamodb.Table): iam.PolicyStatement[] {
  return [
    allow(['dynamodb:UpdateItem'], [table.tableArn], {
      'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': [`${CALLS_PREFIX}*`] },
      Null: { 'dynamodb:LeadingKeys': 'false' },
    }),
  ];
}

/** Counts refused authentications, and changes nothing else. */
export function countRefusals(table: dynamodb.Table): iam.PolicyStatement[] {
  return [
    allow(['dynamodb:UpdateItem'], [table.tableArn], {
      'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': [`${REFUSED_PREFIX}*`] },
      Null: { 'dynamodb:LeadingKeys': 'false' },
    }),
  ];
}

/** Reads the functions that have an alert now. */
export function readTroubledFunctions(table: dynamodb.Table): iam.PolicyStatement[] {
  return [
    allow(['dynamodb:Query'], [table.tableArn], {
      'ForAllValues:StringEquals': { 'dynamodb:LeadingKeys': [FUNCTIONS_PARTITION] },
      Null: { 'dynamodb:LeadingKeys': 'false' },
    }),
  ];
}

/** Notes that somebody has asked for a sample, and changes nothing else. */
export function askForSamples(table: dynamodb.Table): iam.PolicyStatement[] {
  return [
    allow(['dynamodb:PutItem'], [table.tableArn], {
      'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': [`${ASKED_PREFIX}*`] },
      Null: { 'dynamodb:LeadingKeys': 'false' },
    }),
  ];
}

/** Reads the samples of databases by their time, and nothing else of the table as a range. */
export function readSamples(table: dynamodb.Table): iam.PolicyStatement[] {
  return [
    allow(['dynamodb:Query'], [table.tableArn], {
      'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': samplePartitions.map((partition) => `${partition}*`) },
      // Without it, a request that names no key would fulfil the condition above.
      Null: { 'dynamodb:LeadingKeys': 'false' },
    }),
  ];
}
