import type * as dynamodb from 'aws-cdk-lib/aws-dynamodb';
import type * as iam from 'aws-cdk-lib/aws-iam';
import { ALERT_SETTINGS_PREFIX } from '../../../shared/alerts/settings.ts';
import { FUNCTIONS_PARTITION } from '../../../shared/alerts/troubled-functions.ts';
import { ASKED_PREFIX } from '../../../shared/health/sample-on-demand.ts';
import { samplePartitions } from '../../../shared/health/sample-store.ts';
import { CALLS_PREFIX } from '../../../shared/security/access/count-calls.ts';
import { REFUSED_PREFIX } from '../../../shared/security/access/refused-authentications.ts';
import { REVOCATION_PREFIX } from '../../../shared/security/access/revocations.ts';
import { WAIVERS_PREFIX } from '../../../shared/security/compliance/waivers.ts';
import { SECURITY_SETTINGS } from '../../../shared/security/settings/settings-store.ts';
import { MASKING_KEY, MASKING_PREFIX } from '../../../shared/state/masking.ts';
import { SCHEDULES_PREFIX } from '../../../shared/state/schedules.ts';
import { stateKeys } from '../../../shared/state/table.ts';
import { allow } from './allow.ts';
import { onTable } from './tables.ts';

/** Where the State table keeps what administrators have decided. Of these a function writes none but those that it is named for. */
const settingsPartitions = {
  security: [SECURITY_SETTINGS, `${SECURITY_SETTINGS}#*`],
  revocations: [`${REVOCATION_PREFIX}*`],
  'masking key': [MASKING_KEY],
  'masking rules': [`${MASKING_PREFIX}*`],
  alerts: [`${ALERT_SETTINGS_PREFIX}*`],
  waivers: [`${WAIVERS_PREFIX}*`],
  schedules: [`${SCHEDULES_PREFIX}*`],
} as const;

export type Settings = keyof typeof settingsPartitions;

/**
 * Reads and writes of single items; `Query` reads the index of collections alone.
 *
 * @param settings - those that it may write; all others are kept from it
 */
export function useState(
  table: dynamodb.Table,
  operations: readonly ('Get' | 'Put' | 'Update' | 'Delete' | 'Query')[],
  settings: readonly Settings[] = [],
): iam.PolicyStatement[] {
  const writes = (['Put', 'Update', 'Delete'] as const).filter((operation) => operations.includes(operation));
  const kept = Object.entries(settingsPartitions).flatMap(([name, partitions]) =>
    settings.includes(name as Settings) ? [] : partitions,
  );
  return onTable(
    table,
    ...(operations.includes('Get') ? [allow(['dynamodb:GetItem'], [table.tableArn])] : []),
    ...(writes.length > 0
      ? [
          allow(
            writes.map((operation) => `dynamodb:${operation}Item`),
            [table.tableArn],
            {
              'ForAllValues:StringNotLike': { 'dynamodb:LeadingKeys': kept },
              // Without it, a request that names no key would fulfil the condition above.
              Null: { 'dynamodb:LeadingKeys': 'false' },
            },
          ),
        ]
      : []),
    ...(operations.includes('Query')
      ? [allow(['dynamodb:Query'], [`${table.tableArn}/index/${stateKeys.index}`])]
      : []),
  );
}

/** Counts the calls of each caller, and changes nothing else. */
export function countCalls(table: dynamodb.Table): iam.PolicyStatement[] {
  return onTable(
    table,
    allow(['dynamodb:UpdateItem'], [table.tableArn], {
      'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': [`${CALLS_PREFIX}*`] },
      Null: { 'dynamodb:LeadingKeys': 'false' },
    }),
  );
}

/** Counts refused authentications, and changes nothing else. */
export function countRefusals(table: dynamodb.Table): iam.PolicyStatement[] {
  return onTable(
    table,
    allow(['dynamodb:UpdateItem'], [table.tableArn], {
      'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': [`${REFUSED_PREFIX}*`] },
      Null: { 'dynamodb:LeadingKeys': 'false' },
    }),
  );
}

/** Reads the functions that have an alert now. */
export function readTroubledFunctions(table: dynamodb.Table): iam.PolicyStatement[] {
  return onTable(
    table,
    allow(['dynamodb:Query'], [table.tableArn], {
      'ForAllValues:StringEquals': { 'dynamodb:LeadingKeys': [FUNCTIONS_PARTITION] },
      Null: { 'dynamodb:LeadingKeys': 'false' },
    }),
  );
}

/** Notes that somebody has asked for a sample, and changes nothing else. */
export function askForSamples(table: dynamodb.Table): iam.PolicyStatement[] {
  return onTable(
    table,
    allow(['dynamodb:PutItem'], [table.tableArn], {
      'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': [`${ASKED_PREFIX}*`] },
      Null: { 'dynamodb:LeadingKeys': 'false' },
    }),
  );
}

/** Reads the samples of databases by their time, and nothing else of the table as a range. */
export function readSamples(table: dynamodb.Table): iam.PolicyStatement[] {
  return onTable(
    table,
    allow(['dynamodb:Query'], [table.tableArn], {
      'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': samplePartitions.map((partition) => `${partition}*`) },
      // Without it, a request that names no key would fulfil the condition above.
      Null: { 'dynamodb:LeadingKeys': 'false' },
    }),
  );
}
