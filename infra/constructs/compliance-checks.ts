import { Duration, TimeZone } from 'aws-cdk-lib';
import * as events from 'aws-cdk-lib/aws-events';
import * as targets from 'aws-cdk-lib/aws-events-targets';
import * as iam from 'aws-cdk-lib/aws-iam';
import type * as lambda from 'aws-cdk-lib/aws-lambda';
import * as scheduler from 'aws-cdk-lib/aws-scheduler';
import * as schedulerTargets from 'aws-cdk-lib/aws-scheduler-targets';
import type * as sqs from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { toEventBridgeCron } from '../../shared/configuration/cron.ts';
import type { Deployment } from '../config/schema.ts';
import type { StorageStack } from '../stacks/storage.ts';
import { configurationLayer, layerPaths } from './layers.ts';
import { NodeFunction } from './node-function.ts';
import { readAudit } from './permissions/audit.ts';
import { useState } from './permissions/state.ts';
import { schedulerPrincipal } from './scheduler-principal.ts';

export interface ComplianceChecksProps {
  readonly deployment: Deployment;
  readonly buildFolder: string;
  readonly storage: StorageStack;
  /** Receives what could not be started. */
  readonly deadLetterQueue: sqs.Queue;
  readonly logIn: readonly iam.PolicyStatement[];
  /** Reads how AWS keeps things. */
  readonly protection: readonly iam.PolicyStatement[];
  readonly sendMails: readonly iam.PolicyStatement[];
}

/** Logins of a session that is shorter are seen by chance alone. */
const LOOK_AT_LOGINS = Duration.minutes(10);

/** The functions that mail the reports of compliance and look which logins are used, with what runs them. */
export class ComplianceChecks extends Construct {
  constructor(scope: Construct, id: string, props: ComplianceChecksProps) {
    super(scope, id);
    const { deployment, buildFolder, storage, deadLetterQueue, logIn, protection, sendMails } = props;
    const { stateTable, auditTable, auditBucket, auditKey, dataKey, bucket, key } = storage;
    const common = {
      deployment,
      buildFolder,
      layers: [configurationLayer(this, buildFolder, deployment)],
      vpc: deployment.databases.find(({ vpc }) => vpc)?.vpc,
    };
    const logins = new NodeFunction(this, 'NoteLogins', {
      ...common,
      name: 'note-logins',
      description: 'Notes which logins of the servers have sessions',
      timeout: Duration.minutes(2),
      memoryMegabytes: 256,
      isTraced: false,
      environment: { configurationPath: layerPaths.configuration, stateTable: stateTable.tableName },
      statements: [...useState(stateTable, ['Get', 'Put']), ...logIn],
    });
    logins.fn.configureAsyncInvoke({ retryAttempts: 0, maxEventAge: LOOK_AT_LOGINS });
    new events.Rule(this, 'LookAtLogins', {
      description: 'Logins that have sessions',
      schedule: events.Schedule.rate(LOOK_AT_LOGINS),
      targets: [new targets.LambdaFunction(logins.fn, { retryAttempts: 0, maxEventAge: LOOK_AT_LOGINS })],
    });

    const { fn } = new NodeFunction(this, 'CheckCompliance', {
      ...common,
      name: 'check-compliance',
      description: 'Judges the databases by the rules of compliance and mails the reports',
      timeout: Duration.minutes(15),
      memoryMegabytes: 512,
      environment: {
        configurationPath: layerPaths.configuration,
        stateTable: stateTable.tableName,
        auditTable: auditTable.tableName,
        auditBucket: auditBucket.bucketName,
        auditKeyArn: auditKey.keyArn,
        backupBucket: bucket.bucketName,
        backupKeyArn: key.keyArn,
        archiveKeyArn: dataKey.keyArn,
      },
      statements: [
        ...useState(stateTable, ['Get', 'Put', 'Query']),
        ...protection,
        ...readAudit(auditTable, auditBucket, { dataKey, backupKey: key }),
        new iam.PolicyStatement({ actions: ['kms:GetPublicKey'], resources: [auditKey.keyArn] }),
        ...logIn,
        ...sendMails,
      ],
    });
    // A report that was mailed is not mailed again because another database's failed.
    fn.configureAsyncInvoke({ retryAttempts: 0, maxEventAge: Duration.hours(6) });
    const expression = deployment.compliance.report;
    if (expression === null) return;
    const role = new iam.Role(this, 'Role', {
      assumedBy: schedulerPrincipal(this),
      description: `Lets a schedule of ${deployment.prefix} mail the reports of compliance`,
    });
    role.addToPolicy(new iam.PolicyStatement({ actions: ['lambda:InvokeFunction'], resources: [fn.functionArn] }));
    role.addToPolicy(new iam.PolicyStatement({ actions: ['sqs:SendMessage'], resources: [deadLetterQueue.queueArn] }));
    new scheduler.Schedule(this, 'Report', {
      scheduleName: `${deployment.prefix}-check-compliance`,
      description: `Reports of compliance: ${expression}`,
      schedule: scheduler.ScheduleExpression.expression(
        toEventBridgeCron(expression),
        TimeZone.of(deployment.schedules.time_zone),
      ),
      target: new schedulerTargets.LambdaInvoke(fn as lambda.IFunction, {
        role: role.withoutPolicyUpdates(),
        deadLetterQueue,
        retryAttempts: 2,
        maxEventAge: Duration.hours(6),
      }),
    });
  }
}
