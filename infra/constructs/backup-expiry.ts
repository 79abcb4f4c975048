import { Duration, TimeZone } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import type * as lambda from 'aws-cdk-lib/aws-lambda';
import * as destinations from 'aws-cdk-lib/aws-lambda-destinations';
import * as scheduler from 'aws-cdk-lib/aws-scheduler';
import * as targets from 'aws-cdk-lib/aws-scheduler-targets';
import type * as sqs from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { toEventBridgeCron } from '../../shared/configuration/cron.ts';
import type { Deployment } from '../config/schema.ts';
import type { StorageStack } from '../stacks/storage.ts';
import { configurationLayer, layerPaths } from './layers.ts';
import { NodeFunction } from './node-function.ts';
import { writeAudit } from './permissions/audit.ts';
import { readLocks, removeBackups } from './permissions/backups.ts';
import { removeDownloads } from './permissions/downloads.ts';
import { useState } from './permissions/state.ts';
import { schedulerPrincipal } from './scheduler-principal.ts';

export interface BackupExpiryProps {
  readonly deployment: Deployment;
  readonly buildFolder: string;
  readonly storage: StorageStack;
  /** Receives what could not be started, and runs that failed. */
  readonly deadLetterQueue: sqs.Queue;
}

/** The function that removes backups which no rule keeps, and the schedule that runs it, unless that is null. */
export class BackupExpiry extends Construct {
  constructor(scope: Construct, id: string, { deployment, buildFolder, storage, deadLetterQueue }: BackupExpiryProps) {
    super(scope, id);
    const { bucket, downloads, stateTable, auditTable } = storage;
    const handOver = new iam.PolicyStatement({ actions: ['sqs:SendMessage'], resources: [deadLetterQueue.queueArn] });
    const { fn } = new NodeFunction(this, 'ExpireBackups', {
      name: 'expire-backups',
      description: 'Removes backups that no rule of retention keeps, and what failed ones left',
      deployment,
      buildFolder,
      timeout: Duration.minutes(15),
      memoryMegabytes: 512,
      layers: [configurationLayer(this, buildFolder, deployment)],
      environment: {
        configurationPath: layerPaths.configuration,
        stateTable: stateTable.tableName,
        auditTable: auditTable.tableName,
        backupBucket: bucket.bucketName,
        downloadBucket: downloads.bucketName,
      },
      // No right to read a backup, and none on the key.
      statements: [
        ...useState(stateTable, ['Get', 'Update', 'Delete', 'Query']),
        ...removeBackups(bucket),
        ...removeDownloads(downloads),
        ...readLocks(bucket),
        ...writeAudit(auditTable),
        handOver,
      ],
    });
    fn.configureAsyncInvoke({
      retryAttempts: 1,
      maxEventAge: Duration.hours(6),
      onFailure: new destinations.SqsDestination(deadLetterQueue),
    });

    const expression = deployment.retention.expiry;
    if (expression === null) return;
    const role = new iam.Role(this, 'Role', {
      assumedBy: schedulerPrincipal(this),
      description: `Lets a schedule of ${deployment.prefix} remove expired backups`,
    });
    role.addToPolicy(new iam.PolicyStatement({ actions: ['lambda:InvokeFunction'], resources: [fn.functionArn] }));
    role.addToPolicy(handOver);
    new scheduler.Schedule(this, 'Daily', {
      scheduleName: `${deployment.prefix}-expire-backups`,
      description: `Removal of expired backups: ${expression}`,
      schedule: scheduler.ScheduleExpression.expression(
        toEventBridgeCron(expression),
        TimeZone.of(deployment.schedules.time_zone),
      ),
      target: new targets.LambdaInvoke(fn as lambda.IFunction, {
        role: role.withoutPolicyUpdates(),
        deadLetterQueue,
        retryAttempts: 10,
        maxEventAge: Duration.hours(6),
      }),
    });
  }
}
