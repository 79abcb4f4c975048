import { Duration } from 'aws-cdk-lib';
import * as events from 'aws-cdk-lib/aws-events';
import * as targets from 'aws-cdk-lib/aws-events-targets';
import type * as lambda from 'aws-cdk-lib/aws-lambda';
import type * as sqs from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import type { Deployment } from '../config/schema.ts';
import type { StorageStack } from '../stacks/storage.ts';
import { NodeFunction } from './node-function.ts';
import { writeAudit } from './permissions/audit.ts';
import { useState } from './permissions/state.ts';
import { pruneVersionsOf } from './permissions/versions.ts';

export interface VersionPruningProps {
  readonly deployment: Deployment;
  readonly buildFolder: string;
  readonly storage: StorageStack;
  /** Whose versions deployments retain. */
  readonly functions: readonly lambda.Function[];
  /** Receives what could not be started. */
  readonly deadLetterQueue: sqs.Queue;
}

/**
 * The function that deletes versions which deployments have retained for executions, once no execution can need them, and the rule
 * that runs it each day.
 */
export class VersionPruning extends Construct {
  constructor(scope: Construct, id: string, props: VersionPruningProps) {
    super(scope, id);
    const { deployment, buildFolder, storage, functions, deadLetterQueue } = props;
    const { fn } = new NodeFunction(this, 'PruneVersions', {
      name: 'prune-versions',
      description: 'Deletes versions of functions that no execution needs any more',
      deployment,
      buildFolder,
      timeout: Duration.minutes(5),
      memoryMegabytes: 256,
      environment: {
        stateTable: storage.stateTable.tableName,
        auditTable: storage.auditTable.tableName,
        versionedFunctions: functions.map(({ functionName }) => functionName).join(','),
      },
      statements: [
        ...pruneVersionsOf(this, functions),
        ...useState(storage.stateTable, ['Get']),
        ...writeAudit(storage.auditTable),
      ],
    });
    new events.Rule(this, 'Daily', {
      description: 'Pruning of old versions of functions',
      schedule: events.Schedule.rate(Duration.days(1)),
      targets: [new targets.LambdaFunction(fn, { deadLetterQueue, maxEventAge: Duration.hours(6) })],
    });
  }
}
