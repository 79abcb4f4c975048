import { Duration, Stack, Validations } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as events from 'aws-cdk-lib/aws-events';
import * as eventTargets from 'aws-cdk-lib/aws-events-targets';
import * as iam from 'aws-cdk-lib/aws-iam';
import type * as lambda from 'aws-cdk-lib/aws-lambda';
import * as destinations from 'aws-cdk-lib/aws-lambda-destinations';
import * as scheduler from 'aws-cdk-lib/aws-scheduler';
import type * as sqs from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import type { EnvironmentName } from '../../shared/configuration/environment.ts';
import { missedRunsMetric } from '../../shared/schedules/metrics.ts';
import type { Deployment } from '../config/schema.ts';
import type { StorageStack } from '../stacks/storage.ts';
import { configurationLayer, layerPaths } from './layers.ts';
import { written } from './network-interfaces.ts';
import { NodeFunction } from './node-function.ts';
import { useState } from './permissions/state.ts';
import { schedulerPrincipal } from './scheduler-principal.ts';

export interface BackupSchedulesProps {
  readonly deployment: Deployment;
  readonly buildFolder: string;
  readonly storage: StorageStack;
  /** The backup function, with its alias. */
  readonly target: lambda.Alias;
  /** Receives what could not be started. */
  readonly deadLetterQueue: sqs.Queue;
}

/** How often the schedules are looked at; a change that another hand made lasts as long. */
const LOOK_EVERY = Duration.minutes(15);

/**
 * What the schedules of backups need: a group that holds them, the role in whose name they start backups, and the function that
 * makes them. The schedules themselves are no resources of the stack, so that no deployment undoes what was changed through the
 * API; see docs/decisions/0008-schedules-at-run-time.md.
 */
export class BackupSchedules extends Construct {
  /** What a function that changes schedules finds in its environment. */
  readonly environment: Partial<Record<EnvironmentName, string>>;
  readonly #role: iam.Role;
  readonly #groupName: string;

  constructor(scope: Construct, id: string, props: BackupSchedulesProps) {
    super(scope, id);
    const { deployment, buildFolder, storage, target, deadLetterQueue } = props;
    this.#groupName = `${deployment.prefix}-backups`;
    new scheduler.ScheduleGroup(this, 'Group', { scheduleGroupName: this.#groupName });
    this.#role = new iam.Role(this, 'Role', {
      assumedBy: schedulerPrincipal(this, this.#groupName),
      description: `Lets the schedules of ${deployment.prefix} start backups`,
    });
    const handOver = new iam.PolicyStatement({ actions: ['sqs:SendMessage'], resources: [deadLetterQueue.queueArn] });
    this.#role.addToPolicy(
      new iam.PolicyStatement({ actions: ['lambda:InvokeFunction'], resources: [target.functionArn] }),
    );
    this.#role.addToPolicy(handOver);
    this.environment = {
      scheduleGroup: this.#groupName,
      backupFunctionArn: target.functionArn,
      scheduleRoleArn: this.#role.roleArn,
      deadLetterQueueArn: deadLetterQueue.queueArn,
    };

    const { fn } = new NodeFunction(this, 'Watch', {
      name: 'watch-schedules',
      description: 'Makes the schedules of backups as they are stored, and looks for runs that never came',
      deployment,
      buildFolder,
      timeout: Duration.minutes(5),
      memoryMegabytes: 512,
      isTraced: false,
      layers: [configurationLayer(this, buildFolder, deployment)],
      environment: {
        configurationPath: layerPaths.configuration,
        stateTable: storage.stateTable.tableName,
        ...this.environment,
      },
      statements: [
        ...useState(storage.stateTable, ['Get', 'Put', 'Update', 'Query'], ['schedules']),
        ...this.rights(this),
        publishMetrics(),
        handOver,
      ],
    });
    fn.configureAsyncInvoke({
      retryAttempts: 1,
      maxEventAge: Duration.hours(1),
      onFailure: new destinations.SqsDestination(deadLetterQueue),
    });
    this.runWatch(fn, deadLetterQueue);
    this.raiseAlarm();
  }

  /**
   * Lets a function change the schedules of this group, to run under the role of this group, and nothing else.
   *
   * @param scope - holds the function's policy
   */
  rights(scope: Construct): iam.PolicyStatement[] {
    const stack = Stack.of(scope);
    const schedules = stack.formatArn({
      service: 'scheduler',
      resource: 'schedule',
      resourceName: `${this.#groupName}/*`,
    });
    Validations.of(scope).acknowledge({
      id: `AwsSolutions-IAM5[Resource::${written(stack.resolve(schedules))}]`,
      reason: 'The schedules of one group, which are made at run time.',
    });
    return [
      new iam.PolicyStatement({
        actions: ['Get', 'Create', 'Update', 'Delete'].map((verb) => `scheduler:${verb}Schedule`),
        resources: [schedules],
      }),
      new iam.PolicyStatement({
        actions: ['iam:PassRole'],
        resources: [this.#role.roleArn],
        conditions: { StringEquals: { 'iam:PassedToService': 'scheduler.amazonaws.com' } },
      }),
    ];
  }

  /** After every deployment, as the configuration may have changed, and again and again. */
  private runWatch(fn: lambda.Function, deadLetterQueue: sqs.Queue): void {
    const target = new eventTargets.LambdaFunction(fn, { deadLetterQueue });
    new events.Rule(this, 'Deployed', {
      description: 'Deployments of the stack that holds the schedules',
      eventPattern: {
        source: ['aws.cloudformation'],
        detailType: ['CloudFormation Stack Status Change'],
        detail: {
          'stack-id': [Stack.of(this).stackId],
          'status-details': { status: ['CREATE_COMPLETE', 'UPDATE_COMPLETE', 'UPDATE_ROLLBACK_COMPLETE'] },
        },
      },
      targets: [target],
    });
    // A rule and no schedule: what looks after EventBridge Scheduler does not depend on it.
    new events.Rule(this, 'Look', {
      description: 'Looks after the schedules of backups',
      schedule: events.Schedule.rate(LOOK_EVERY),
      targets: [target],
    });
  }

  private raiseAlarm(): void {
    new cloudwatch.Metric({
      namespace: missedRunsMetric.namespace,
      metricName: missedRunsMetric.name,
      dimensionsMap: { [missedRunsMetric.group]: this.#groupName },
      period: Duration.minutes(30),
      statistic: cloudwatch.Stats.MAXIMUM,
    }).createAlarm(this, 'Missed', {
      alarmDescription: 'A backup that was due never came, or nobody looks: see GET backups/schedules',
      threshold: 1,
      evaluationPeriods: 2,
      datapointsToAlarm: 1,
      treatMissingData: cloudwatch.TreatMissingData.BREACHING,
    });
  }
}

/** CloudWatch offers no resource-level permission for metrics. */
function publishMetrics(): iam.PolicyStatement {
  return new iam.PolicyStatement({
    actions: ['cloudwatch:PutMetricData'],
    resources: ['*'],
    conditions: { StringEquals: { 'cloudwatch:namespace': missedRunsMetric.namespace } },
  });
}
