import { dynamodbClient, schedulerClient } from '../../shared/aws/clients.ts';
import { readEnvironment } from '../../shared/configuration/environment.ts';
import { loadConfiguration } from '../../shared/configuration/load.ts';
import { openTable } from '../../shared/state/table.ts';

const environment = readEnvironment([
  'stateTable',
  'scheduleGroup',
  'backupFunctionArn',
  'scheduleRoleArn',
  'deadLetterQueueArn',
]);

/** What functions that change schedules find in their environment. */
export const dependencies = {
  table: openTable(dynamodbClient(), environment.stateTable),
  configuration: loadConfiguration(),
  group: {
    scheduler: schedulerClient(),
    group: environment.scheduleGroup,
    functionArn: environment.backupFunctionArn,
    roleArn: environment.scheduleRoleArn,
    deadLetterQueueArn: environment.deadLetterQueueArn,
  },
};
