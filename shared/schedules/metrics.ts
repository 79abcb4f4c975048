import { type CloudWatchClient, PutMetricDataCommand } from '@aws-sdk/client-cloudwatch';
import type { WatchReport } from './watch.ts';

/** The metric of runs that were due within a day and never came: of all databases, and of each one. */
export const missedRunsMetric = {
  namespace: 'DatabaseManagement/Schedules',
  name: 'MissedBackupRuns',
  /** The deployment's group of schedules. */
  group: 'ScheduleGroup',
  database: 'Database',
} as const;

/** CloudWatch takes this many values at once. */
const AT_ONCE = 1000;

/** Tells CloudWatch how many runs were missed; 0 as well, so that silence means that nobody looks. */
export async function publishMissedRuns(
  cloudwatch: CloudWatchClient,
  group: string,
  reports: readonly Pick<WatchReport, 'database' | 'missed_lately'>[],
): Promise<void> {
  const ofGroup = { Name: missedRunsMetric.group, Value: group };
  const value = (count: number, database?: string) => ({
    MetricName: missedRunsMetric.name,
    Unit: 'Count' as const,
    Value: count,
    Dimensions: database === undefined ? [ofGroup] : [ofGroup, { Name: missedRunsMetric.database, Value: database }],
  });
  const total = reports.reduce((sum, { missed_lately }) => sum + missed_lately, 0);
  const values = [value(total), ...reports.map(({ database, missed_lately }) => value(missed_lately, database))];
  for (let start = 0; start < values.length; start += AT_ONCE) {
    const MetricData = values.slice(start, start + AT_ONCE);
    await cloudwatch.send(new PutMetricDataCommand({ Namespace: missedRunsMetric.namespace, MetricData }));
  }
}
