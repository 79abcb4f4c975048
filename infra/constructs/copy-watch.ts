import { Duration } from 'aws-cdk-lib';
import * as events from 'aws-cdk-lib/aws-events';
import * as targets from 'aws-cdk-lib/aws-events-targets';
import type * as sns from 'aws-cdk-lib/aws-sns';
import * as subscriptions from 'aws-cdk-lib/aws-sns-subscriptions';
import type * as sqs from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import type { Deployment } from '../config/schema.ts';
import type { StorageStack } from '../stacks/storage.ts';
import { configurationLayer, layerPaths } from './layers.ts';
import { NodeFunction } from './node-function.ts';
import { readObjectStates } from './permissions/backups.ts';
import { useState } from './permissions/state.ts';

export interface CopyWatchProps {
  readonly deployment: Deployment;
  readonly buildFolder: string;
  readonly storage: StorageStack;
  /** Hears from S3 of objects that it could not copy. */
  readonly failures: sns.ITopic;
  /** Receives what could not be started. */
  readonly deadLetterQueue: sqs.Queue;
}

/**
 * The function that looks each hour whether the newest backups are copied into the second region, and hears at once of what could not
 * be. What it finds is in the State table, from which the sampler opens alerts; it has no alarm of its own in CloudWatch.
 */
export class CopyWatch extends Construct {
  constructor(scope: Construct, id: string, props: CopyWatchProps) {
    super(scope, id);
    const { deployment, buildFolder, storage, failures, deadLetterQueue } = props;
    const { fn } = new NodeFunction(this, 'WatchCopies', {
      name: 'watch-copies',
      description: 'Looks whether backups are copied into the second region',
      deployment,
      buildFolder,
      timeout: Duration.minutes(10),
      memoryMegabytes: 512,
      layers: [configurationLayer(this, buildFolder, deployment)],
      environment: {
        configurationPath: layerPaths.configuration,
        stateTable: storage.stateTable.tableName,
        backupBucket: storage.bucket.bucketName,
      },
      statements: [...useState(storage.stateTable, ['Get', 'Put', 'Query']), ...readObjectStates(storage.bucket)],
    });
    failures.addSubscription(new subscriptions.LambdaSubscription(fn));
    new events.Rule(this, 'Hourly', {
      description: 'Copies of backups in the second region',
      schedule: events.Schedule.rate(Duration.hours(1)),
      targets: [new targets.LambdaFunction(fn, { deadLetterQueue, maxEventAge: Duration.hours(1) })],
    });
  }
}
