import { PutCommand, QueryCommand } from '@aws-sdk/lib-dynamodb';
import * as z from 'zod';
import { complianceSchema } from '../../contract/schemas/compliance.ts';
import { type StateTable, stateKeys } from '../../state/table.ts';

const runSchema = complianceSchema.shape.trend.element;

/** What is kept of a run. */
export type Run = z.output<typeof runSchema>;

/** Runs are kept for two years, one for each day. */
const KEPT_SECONDS = 731 * 86_400;
/** Days that a trend shows. */
const SHOWN = 60;

/** Keeps a run in place of an earlier one of the same day. */
export async function recordRun(table: StateTable, database: string, run: Run): Promise<void> {
  const day = run.at.slice(0, 10);
  await table.documents.send(
    new PutCommand({
      TableName: table.name,
      Item: {
        pk: `COMPLIANCE#${database}#${day}`,
        sk: 'RUN',
        [stateKeys.indexPartition]: `COMPLIANCE#${database}`,
        [stateKeys.indexSort]: day,
        ...run,
        [stateKeys.timeToLive]: Math.floor(Date.parse(run.at) / 1000) + KEPT_SECONDS,
      },
    }),
  );
}

/** The latest runs, the newest first. */
export async function latestRuns(table: StateTable, database: string): Promise<Run[]> {
  const { Items = [] } = await table.documents.send(
    new QueryCommand({
      TableName: table.name,
      IndexName: stateKeys.index,
      KeyConditionExpression: '#collection = :runs',
      ExpressionAttributeNames: { '#collection': stateKeys.indexPartition },
      ExpressionAttributeValues: { ':runs': `COMPLIANCE#${database}` },
      ScanIndexForward: false,
      Limit: SHOWN,
    }),
  );
  return z.array(runSchema).parse(Items);
}
