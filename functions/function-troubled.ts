import { deliverMails } from '../shared/alerts/deliver-mails.ts';
import { troublesOf } from '../shared/alerts/function-reports.ts';
import { linksFrom } from '../shared/alerts/link.ts';
import { openTroubles } from '../shared/alerts/troubled-functions.ts';
import { dynamodbClient, sesClient } from '../shared/aws/clients.ts';
import { readEnvironment } from '../shared/configuration/environment.ts';
import { loadConfiguration } from '../shared/configuration/load.ts';
import { createLogger } from '../shared/http/log.ts';
import { readSubscription } from '../shared/security/audit/database-log/read-subscription.ts';
import { openTable } from '../shared/state/table.ts';

const environment = readEnvironment(['stateTable', 'alertLink', 'mailEvents']);
const configuration = loadConfiguration();
const table = openTable(dynamodbClient(), environment.stateTable);
const logger = createLogger('function-troubled');

/** Answers CloudWatch Logs' deliveries of Lambda's reports that a function failed or took nearly all of its time, and mails what is new. */
export async function handler(event: unknown): Promise<void> {
  const troubled = troublesOf(await readSubscription(event));
  const opened = await openTroubles({ table, configuration }, troubled);
  for (const { name, trouble, detail } of troubled) logger.warn('A function is troubled', { name, trouble, detail });
  if (opened.length === 0) return;
  const mails = await deliverMails({
    table,
    ses: sesClient(),
    configuration,
    linkTo: linksFrom(environment.alertLink),
    configurationSet: environment.mailEvents,
  });
  if (mails.postponed + mails.givenUp > 0) logger.warn('Mails were not sent', mails);
}
