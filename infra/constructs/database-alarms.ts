import { Duration } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import { Construct } from 'constructs';
import { databaseAlarmName, databaseAlarms } from '../../shared/health/alarms.ts';
import { DATABASE_DIMENSION, type MetricName, metricNamespace, publishedName } from '../../shared/health/metrics.ts';
import type { Deployment } from '../config/schema.ts';

export interface DatabaseMetricOptions {
  readonly prefix: string;
  readonly database: string;
  readonly metric: MetricName;
  readonly statistic: string;
  readonly period: Duration;
  readonly label?: string;
}

/** A published metric of a database. */
export function databaseMetric({
  prefix,
  database,
  metric,
  statistic,
  period,
  label,
}: DatabaseMetricOptions): cloudwatch.Metric {
  return new cloudwatch.Metric({
    namespace: metricNamespace(prefix),
    metricName: publishedName(metric),
    dimensionsMap: { [DATABASE_DIMENSION]: database },
    statistic,
    period,
    ...(label === undefined ? {} : { label }),
  });
}

const missingData = {
  breaching: cloudwatch.TreatMissingData.BREACHING,
  notBreaching: cloudwatch.TreatMissingData.NOT_BREACHING,
} as const;

const comparisons = {
  GreaterThanOrEqualToThreshold: cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
  LessThanThreshold: cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
} as const;

/** The alarms of one database; see shared/health/alarms.ts. */
export class DatabaseAlarms extends Construct {
  readonly alarms: cloudwatch.Alarm[];

  constructor(scope: Construct, id: string, { deployment, database }: { deployment: Deployment; database: string }) {
    super(scope, id);
    this.alarms = databaseAlarms(deployment.thresholds, deployment.cloudwatch.alarms).map((alarm) => {
      const { what, title, metric, statistic, threshold, periods } = alarm;
      return new cloudwatch.Alarm(this, what, {
        alarmName: databaseAlarmName(deployment.prefix, database, what),
        alarmDescription: `${title}: ${database}`,
        metric: databaseMetric({
          prefix: deployment.prefix,
          database,
          metric,
          statistic,
          period: Duration.seconds(alarm.periodSeconds),
        }),
        threshold,
        comparisonOperator: comparisons[alarm.comparison],
        evaluationPeriods: periods,
        treatMissingData: missingData[alarm.missingData],
      });
    });
  }
}
