import { Duration } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as iam from 'aws-cdk-lib/aws-iam';
import type * as lambda from 'aws-cdk-lib/aws-lambda';
import * as scheduler from 'aws-cdk-lib/aws-scheduler';
import * as targets from 'aws-cdk-lib/aws-scheduler-targets';
import type * as sqs from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { databaseAlarmName, WITH_DRILLS } from '../../shared/health/alarms.ts';
import { DATABASE_DIMENSION, metricNamespace, publishedName } from '../../shared/health/metrics.ts';
import type { Deployment } from '../config/schema.ts';
import type { StorageStack } from '../stacks/storage.ts';
import { configurationLayer, layerPaths } from './layers.ts';
import { NodeFunction } from './node-function.ts';
import { publishMetrics } from './permissions/metrics.ts';
import { useState } from './permissions/state.ts';
import { schedulerPrincipal } from './scheduler-principal.ts';

export interface BackupAgesProps {
  readonly deployment: Deployment;
  readonly buildFolder: string;
  readonly storage: StorageStack;
  /** Receives what could not be started. */
  readonly deadLetterQueue: sqs.Queue;
}

const HOUR = Duration.hours(1);
/** So that one run that was late or failed raises no alarm. */
const HOURS = 3;

/**
 * Where drills are configured, publishes every hour how old the newest proven backups are, with an alarm for each database whose newest
 * is too old. Its function is none of the others: it may read what is listed and send metrics, nothing else, and an
 * age must be sent also when no backup, drill or expiry runs.
 */
export class BackupAges extends Construct {
  constructor(scope: Construct, id: string, { deployment, buildFolder, storage, deadLetterQueue }: BackupAgesProps) {
    super(scope, id);
    const { stateTable } = storage;
    const { prefix, databases, drills } = deployment;
    const { fn } = new NodeFunction(this, 'BackupAges', {
      name: 'backup-ages',
      description: 'Tells CloudWatch how old the newest proven backups are',
      deployment,
      buildFolder,
      timeout: Duration.minutes(2),
      memoryMegabytes: 256,
      layers: [configurationLayer(this, buildFolder, deployment)],
      environment: {
        configurationPath: layerPaths.configuration,
        stateTable: stateTable.tableName,
        metricNamespace: metricNamespace(prefix),
      },
      statements: [...useState(stateTable, ['Query']), publishMetrics(prefix)],
    });
    // The next hour's run makes up for one that failed.
    fn.configureAsyncInvoke({ retryAttempts: 1, maxEventAge: HOUR });
    if (drills.server === null) return;
    const role = new iam.Role(this, 'Role', {
      assumedBy: schedulerPrincipal(this),
      description: `Lets a schedule of ${prefix} publish the ages of backups`,
    });
    role.addToPolicy(new iam.PolicyStatement({ actions: ['lambda:InvokeFunction'], resources: [fn.functionArn] }));
    role.addToPolicy(new iam.PolicyStatement({ actions: ['sqs:SendMessage'], resources: [deadLetterQueue.queueArn] }));
    new scheduler.Schedule(this, 'Hourly', {
      scheduleName: `${prefix}-backup-ages`,
      description: 'Ages of the newest backups',
      schedule: scheduler.ScheduleExpression.rate(HOUR),
      target: new targets.LambdaInvoke(fn as lambda.IFunction, {
        role: role.withoutPolicyUpdates(),
        deadLetterQueue,
        retryAttempts: 2,
        maxEventAge: HOUR,
      }),
    });
    for (const database of databases) {
      new cloudwatch.Metric({
        namespace: metricNamespace(prefix),
        metricName: publishedName('proven_backup_age_seconds'),
        dimensionsMap: { [DATABASE_DIMENSION]: database.id },
        statistic: cloudwatch.Stats.MAXIMUM,
        period: HOUR,
      }).createAlarm(this, `NoProvenBackup-${database.id}`, {
        alarmName: databaseAlarmName(prefix, database.id, WITH_DRILLS),
        alarmDescription: `No backup of ${database.id} from the last ${drills.alarm_after_days} days was restored by a drill`,
        threshold: Duration.days(drills.alarm_after_days).toSeconds(),
        comparisonOperator: cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
        evaluationPeriods: HOURS,
        // Without a backup that a drill has proven, there is no age to tell.
        treatMissingData: cloudwatch.TreatMissingData.BREACHING,
      });
    }
  }
}
