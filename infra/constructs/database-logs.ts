import { Duration } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as destinations from 'aws-cdk-lib/aws-lambda-destinations';
import * as logs from 'aws-cdk-lib/aws-logs';
import * as subscriptions from 'aws-cdk-lib/aws-logs-destinations';
import type * as sqs from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import type { Deployment } from '../config/schema.ts';
import type { StorageStack } from '../stacks/storage.ts';
import { configurationLayer, layerPaths } from './layers.ts';
import { NodeFunction } from './node-function.ts';
import { writeAudit } from './permissions/audit.ts';
import { useState } from './permissions/state.ts';

export interface DatabaseLogsProps {
  readonly deployment: Deployment;
  readonly buildFolder: string;
  readonly storage: StorageStack;
  /** Receives what could not be recorded. */
  readonly deadLetterQueue: sqs.Queue;
}

/** The function that takes the servers' logs into the audit trail, and a subscription of each log group that is configured. */
export class DatabaseLogs extends Construct {
  constructor(scope: Construct, id: string, { deployment, buildFolder, storage, deadLetterQueue }: DatabaseLogsProps) {
    super(scope, id);
    const { stateTable, auditTable } = storage;
    const { fn } = new NodeFunction(this, 'IngestDatabaseLog', {
      name: 'ingest-database-log',
      description: 'Takes logins and statements of the servers’ logs into the audit trail',
      deployment,
      buildFolder,
      timeout: Duration.minutes(2),
      memoryMegabytes: 512,
      layers: [configurationLayer(this, buildFolder, deployment)],
      environment: {
        configurationPath: layerPaths.configuration,
        stateTable: stateTable.tableName,
        auditTable: auditTable.tableName,
      },
      statements: [
        ...useState(stateTable, ['Get']),
        ...writeAudit(auditTable),
        new iam.PolicyStatement({ actions: ['sqs:SendMessage'], resources: [deadLetterQueue.queueArn] }),
      ],
    });
    fn.configureAsyncInvoke({
      retryAttempts: 2,
      maxEventAge: Duration.hours(6),
      onFailure: new destinations.SqsDestination(deadLetterQueue),
    });
    const groups = new Set(deployment.databases.flatMap(({ log_group }) => log_group ?? []));
    for (const name of groups) {
      new logs.SubscriptionFilter(this, `Log-${name}`, {
        logGroup: logs.LogGroup.fromLogGroupName(this, name, name),
        destination: new subscriptions.LambdaDestination(fn),
        filterPattern: logs.FilterPattern.anyTerm('AUDIT:', 'connection authorized', 'disconnection', 'FATAL'),
      });
    }
  }
}
