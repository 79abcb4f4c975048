import { Duration } from 'aws-cdk-lib';
import * as events from 'aws-cdk-lib/aws-events';
import * as targets from 'aws-cdk-lib/aws-events-targets';
import * as iam from 'aws-cdk-lib/aws-iam';
import type * as lambda from 'aws-cdk-lib/aws-lambda';
import type * as sqs from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import type { Deployment } from '../config/schema.ts';
import type { StorageStack } from '../stacks/storage.ts';
import { configurationLayer, layerPaths, postgresToolsLayer } from './layers.ts';
import { NodeFunction } from './node-function.ts';
import { writeAudit } from './permissions/audit.ts';
import { readBackedUpDefinitions, readManifests } from './permissions/backups.ts';
import { captureChanges, readChanges, removeChanges } from './permissions/changes.ts';
import { useState } from './permissions/state.ts';

export interface ChangeCaptureProps {
  readonly deployment: Deployment;
  readonly buildFolder: string;
  readonly storage: StorageStack;
  /** Takes the full backups that a window begins with. */
  readonly backup: lambda.Alias;
  /** Receives what could not be started. */
  readonly deadLetterQueue: sqs.Queue;
  readonly logIn: readonly iam.PolicyStatement[];
}

/**
 * The function that stores the changes of databases whose point-in-time recovery is on, and the rule that runs it. It runs on when a
 * transaction takes longer than the time between two runs; those that come meanwhile leave the database to it. Another function
 * removes what no backup needs: it has to read descriptions, and the one that expires backups may read nothing.
 */
export class ChangeCapture extends Construct {
  constructor(scope: Construct, id: string, props: ChangeCaptureProps) {
    super(scope, id);
    const { deployment, buildFolder, storage, backup, deadLetterQueue, logIn } = props;
    const { bucket, key, stateTable, auditTable } = storage;
    const layers = [configurationLayer(this, buildFolder, deployment)];
    const environment = {
      configurationPath: layerPaths.configuration,
      stateTable: stateTable.tableName,
      auditTable: auditTable.tableName,
      backupBucket: bucket.bucketName,
      backupKeyArn: key.keyArn,
    };
    const every = Duration.minutes(deployment.recovery.capture_minutes);
    const { fn } = new NodeFunction(this, 'CaptureChanges', {
      name: 'capture-changes',
      description: 'Stores changes of databases for point-in-time recovery',
      deployment,
      buildFolder,
      timeout: Duration.seconds(deployment.invocation_seconds),
      memoryMegabytes: 1024,
      passesRows: true,
      isTraced: false,
      vpc: deployment.databases.find(({ vpc }) => vpc)?.vpc,
      layers: [...layers, postgresToolsLayer(this, buildFolder)],
      environment: {
        ...environment,
        backupFunctionArn: backup.functionArn,
        postgresToolsPath: layerPaths.postgresTools,
      },
      statements: [
        ...useState(stateTable, ['Get', 'Put', 'Update', 'Delete', 'Query']),
        ...readManifests(bucket),
        ...readBackedUpDefinitions(bucket),
        ...captureChanges(bucket, key),
        ...writeAudit(auditTable),
        ...logIn,
        new iam.PolicyStatement({ actions: ['lambda:InvokeFunction'], resources: [backup.functionArn] }),
      ],
    });
    const expiry = new NodeFunction(this, 'ExpireChanges', {
      name: 'expire-changes',
      description: 'Removes captured changes that no backup needs any more',
      deployment,
      buildFolder,
      timeout: Duration.minutes(15),
      memoryMegabytes: 512,
      layers,
      environment,
      statements: [
        ...useState(stateTable, ['Get', 'Query']),
        ...readManifests(bucket),
        ...readChanges(bucket, key),
        ...removeChanges(bucket),
        ...writeAudit(auditTable),
      ],
    });
    // Where backups never expire, changes do not either.
    if (deployment.retention.expiry !== null) {
      new events.Rule(this, 'Daily', {
        description: 'Removal of captured changes that no backup needs',
        schedule: events.Schedule.rate(Duration.days(1)),
        targets: [new targets.LambdaFunction(expiry.fn, { deadLetterQueue, maxEventAge: Duration.hours(6) })],
      });
    }
    // The next run does again what one that failed has not done.
    fn.configureAsyncInvoke({ retryAttempts: 0, maxEventAge: every });
    new events.Rule(this, 'Often', {
      description: 'Capture of changes for point-in-time recovery',
      schedule: events.Schedule.rate(every),
      targets: [new targets.LambdaFunction(fn, { deadLetterQueue, retryAttempts: 0, maxEventAge: every })],
    });
  }
}
