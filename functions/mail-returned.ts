import { mailReturned } from '../shared/alerts/mail-returned.ts';
import { dynamodbClient } from '../shared/aws/clients.ts';
import { readEnvironment } from '../shared/configuration/environment.ts';
import { loadConfiguration } from '../shared/configuration/load.ts';
import { createLogger } from '../shared/http/log.ts';
import { openTable } from '../shared/state/table.ts';

const environment = readEnvironment(['stateTable']);
const configuration = loadConfiguration();
const table = openTable(dynamodbClient(), environment.stateTable);
const logger = createLogger('mail-returned');

/** Answers SES's events about mails of this system that did not reach everybody. */
export async function handler(event: unknown): Promise<void> {
  const returned = await mailReturned({ table, configuration }, event);
  if (returned) logger.warn('A mail about an alert came back', returned);
}
