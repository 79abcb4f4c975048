import { Duration } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import { Construct } from 'constructs';
import type { NodeFunction } from './node-function.ts';

/** How much of its time a function may take before somebody should look at it. */
const LONG = 0.9;
const PERIOD = Duration.minutes(5);

type Watched = Pick<NodeFunction, 'deployedName' | 'timeout' | 'isDurable'>;

/** Lambda's own metric of a function, by the name that it has once deployed. */
export function functionMetric(name: string, metricName: string, statistic: string): cloudwatch.Metric {
  return new cloudwatch.Metric({
    namespace: 'AWS/Lambda',
    metricName,
    dimensionsMap: { FunctionName: name },
    statistic,
    period: PERIOD,
  });
}

/** Alarms on a function itself: that it fails, is held back, or takes nearly all of its time. */
export class FunctionAlarms extends Construct {
  constructor(scope: Construct, id: string, { prefix, watched }: { prefix: string; watched: Watched }) {
    super(scope, id);
    const { deployedName, timeout, isDurable } = watched;
    const alarm = (metric: string, statistic: string, threshold: number, says: string): void => {
      new cloudwatch.Alarm(this, metric, {
        alarmName: `${prefix}/function/${deployedName}/${metric.toLowerCase()}`,
        alarmDescription: `${says}: ${deployedName}`,
        metric: functionMetric(deployedName, metric, statistic),
        threshold,
        comparisonOperator: cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
        evaluationPeriods: 1,
        treatMissingData: cloudwatch.TreatMissingData.NOT_BREACHING,
      });
    };
    alarm('Errors', cloudwatch.Stats.SUM, 1, 'A function failed');
    alarm('Throttles', cloudwatch.Stats.SUM, 1, 'A function was held back');
    // A durable function takes all of its time by design, and goes on with another invocation.
    if (!isDurable)
      alarm('Duration', cloudwatch.Stats.MAXIMUM, timeout.toMilliseconds() * LONG, 'A function takes long');
  }
}
