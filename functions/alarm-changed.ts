import { alarmChanged } from '../shared/alerts/alarm-changed.ts';
import { deliverMails } from '../shared/alerts/deliver-mails.ts';
import { linksFrom } from '../shared/alerts/link.ts';
import { cloudwatchClient, dynamodbClient, sesClient } from '../shared/aws/clients.ts';
import { readEnvironment } from '../shared/configuration/environment.ts';
import { loadConfiguration } from '../shared/configuration/load.ts';
import { createLogger } from '../shared/http/log.ts';
import { openTable } from '../shared/state/table.ts';

const environment = readEnvironment(['stateTable', 'alertLink', 'mailEvents', 'watchedFunctions']);
const configuration = loadConfiguration();
const table = openTable(dynamodbClient(), environment.stateTable);
const logger = createLogger('alarm-changed');

/** Answers EventBridge's "CloudWatch Alarm State Change" events of this system's alarms, and sends what mails wait. */
export async function handler(event: unknown): Promise<void> {
  const functions = environment.watchedFunctions.split(',');
  const change = await alarmChanged({ table, configuration, cloudwatch: cloudwatchClient(), functions }, event);
  if (change) logger.info('An alarm changed an alert', change);
  const linkTo = linksFrom(environment.alertLink);
  const mails = await deliverMails({
    table,
    ses: sesClient(),
    configuration,
    linkTo,
    configurationSet: environment.mailEvents,
  });
  if (mails.postponed + mails.givenUp > 0) logger.warn('Mails were not sent', mails);
}
