import { dynamodbClient } from '../shared/aws/clients.ts';
import { readEnvironment } from '../shared/configuration/environment.ts';
import { createLogger } from '../shared/http/log.ts';
import { recordExecutionEnd } from '../shared/jobs/execution-ended.ts';
import { openTable } from '../shared/state/table.ts';

const table = openTable(dynamodbClient(), readEnvironment(['stateTable']).stateTable);
const logger = createLogger('execution-ended');

/** Answers Lambda's "Durable Execution Status Change" events of executions that failed, timed out or were stopped. */
export async function handler(event: unknown): Promise<void> {
  const ended = await recordExecutionEnd(table, event);
  if (ended) logger.info('A durable execution ended badly', ended);
}
