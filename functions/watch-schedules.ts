import { cloudwatchClient } from '../shared/aws/clients.ts';
import { createLogger } from '../shared/http/log.ts';
import { publishMissedRuns } from '../shared/schedules/metrics.ts';
import { type WatchReport, watchSchedules } from '../shared/schedules/watch.ts';
import { createScheduleStore } from '../shared/state/schedules.ts';
import { dependencies } from './schedules/dependencies.ts';

const { table, configuration, group } = dependencies;
const logger = createLogger('watch-schedules');

/**
 * Makes EventBridge Scheduler have the schedules of all databases, and looks for runs that never came. It is called after each
 * deployment and every 15 minutes. One database that fails does not hold up the others.
 *
 * @throws Error naming the databases that failed
 */
export async function handler(): Promise<WatchReport[]> {
  // A database that is no longer configured has schedules still, which are to go.
  const stored = await createScheduleStore(table).databases();
  const databases = new Set([...configuration.databases.map(({ id }) => id), ...stored]);
  const reports: WatchReport[] = [];
  const failed: string[] = [];
  for (const database of databases) {
    try {
      const report = await watchSchedules(database, dependencies);
      reports.push(report);
      const isTrouble = report.missed.length + report.repaired.length > 0;
      logger[isTrouble ? 'warn' : 'info']('Schedules looked at', { ...report });
    } catch (error) {
      failed.push(database);
      logger.error('Schedules could not be looked at', { database, error });
    }
  }
  await publishMissedRuns(cloudwatchClient(), group.group, reports);
  if (failed.length > 0) throw new Error(`Schedules could not be looked at: ${failed.join(', ')}; the log says why`);
  return reports;
}
