import { Duration } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import { Construct } from 'constructs';
import { LONG } from '../../shared/alerts/function-reports.ts';
import { ACCOUNT_THROTTLES } from '../../shared/alerts/throttled-functions.ts';
import type { NodeFunction } from './node-function.ts';

const PERIOD = Duration.minutes(5);

type Watched = Pick<NodeFunction, 'deployedName' | 'timeout'>;

/** Lambda's own metric of a function, by the name that it has once deployed; of all functions of the account and region without one. */
export function functionMetric(name: string | null, metricName: string, statistic: string): cloudwatch.Metric {
  return new cloudwatch.Metric({
    namespace: 'AWS/Lambda',
    metricName,
    ...(name === null ? {} : { dimensionsMap: { FunctionName: name } }),
    statistic,
    period: PERIOD,
  });
}

/**
 * Alarms on the function that hears of all other functions' failures, which no other function hears of; and on invocations that Lambda
 * did not start, of which there is no report.
 */
export class FunctionAlarms extends Construct {
  constructor(scope: Construct, id: string, { prefix, watched }: { prefix: string; watched: Watched }) {
    super(scope, id);
    const { deployedName, timeout } = watched;
    const alarm = (name: string, description: string, metric: cloudwatch.Metric, threshold: number): void => {
      new cloudwatch.Alarm(this, metric.metricName, {
        alarmName: `${prefix}/${name}`,
        alarmDescription: description,
        metric,
        threshold,
        comparisonOperator: cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
        evaluationPeriods: 1,
        treatMissingData: cloudwatch.TreatMissingData.NOT_BREACHING,
      });
    };
    const { SUM, MAXIMUM } = cloudwatch.Stats;
    const own = `function/${deployedName}`;
    const failed = `A function failed: ${deployedName}`;
    alarm(`${own}/errors`, failed, functionMetric(deployedName, 'Errors', SUM), 1);
    const long = `A function takes long: ${deployedName}`;
    const most = timeout.toMilliseconds() * LONG;
    alarm(`${own}/duration`, long, functionMetric(deployedName, 'Duration', MAXIMUM), most);
    const held =
      'Functions were held back: some of this account, of which those of this system get alerts of their own';
    alarm(ACCOUNT_THROTTLES, held, functionMetric(null, 'Throttles', SUM), 1);
  }
}
