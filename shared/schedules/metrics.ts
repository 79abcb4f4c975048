import { type CloudWatchClient, PutMetricDataCommand } from '@aws-sdk/client-cloudwatch';
import type { WatchReport } from './watch.ts';

/** The metric of runs of all databases that were due within a day and never came. */
export const missedRunsMetric = {
  namespace: 'DatabaseManagement/Schedules',
  name: 'MissedBackupRuns',
  /** The deployment's group of schedules. */
  group: 'ScheduleGroup',
} as const;

/** Tells CloudWatch how many runs were missed; 0 as well, so that silence means that nobody looks. GET backups/schedules says whose. */
export async function publishMissedRuns(
  cloudwatch: CloudWatchClient,
  group: string,
  reports: readonly Pick<WatchReport, 'missed_lately'>[],
): Promise<void> {
  const MetricData = [
    {
      MetricName: missedRunsMetric.name,
      Unit: 'Count' as const,
      Value: reports.reduce((sum, { missed_lately }) => sum + missed_lately, 0),
      Dimensions: [{ Name: missedRunsMetric.group, Value: group }],
    },
  ];
  await cloudwatch.send(new PutMetricDataCommand({ Namespace: missedRunsMetric.namespace, MetricData }));
}
