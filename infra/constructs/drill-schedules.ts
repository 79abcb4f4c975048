import { Duration, TimeZone } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import type * as lambda from 'aws-cdk-lib/aws-lambda';
import * as scheduler from 'aws-cdk-lib/aws-scheduler';
import * as targets from 'aws-cdk-lib/aws-scheduler-targets';
import type * as sqs from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { toEventBridgeCron } from '../../shared/configuration/cron.ts';
import type { ValidationEvent } from '../../shared/jobs/events.ts';
import type { Deployment } from '../config/schema.ts';
import { schedulerPrincipal } from './scheduler-principal.ts';

export interface DrillSchedulesProps {
  readonly deployment: Deployment;
  /** The function that validates, with its alias. */
  readonly target: lambda.Alias;
  /** Receives what could not be started. */
  readonly deadLetterQueue: sqs.Queue;
}

/** A schedule for each database on which its newest full backup is restored to prove it; none without a drill server. */
export class DrillSchedules extends Construct {
  constructor(scope: Construct, id: string, { deployment, target, deadLetterQueue }: DrillSchedulesProps) {
    super(scope, id);
    const { databases, drills, schedules, prefix } = deployment;
    const { server, schedule: expression } = drills;
    if (server === null || expression === null) return;
    const role = new iam.Role(this, 'Role', {
      assumedBy: schedulerPrincipal(this),
      description: `Lets the schedules of ${prefix} start drills`,
    });
    role.addToPolicy(new iam.PolicyStatement({ actions: ['lambda:InvokeFunction'], resources: [target.functionArn] }));
    role.addToPolicy(new iam.PolicyStatement({ actions: ['sqs:SendMessage'], resources: [deadLetterQueue.queueArn] }));
    for (const { id: database } of databases) {
      new scheduler.Schedule(this, `drill-${database}`, {
        scheduleName: `${prefix}-drill-${database}`,
        description: `Drill of the newest full backup of ${database}: ${expression}`,
        schedule: scheduler.ScheduleExpression.expression(
          toEventBridgeCron(expression),
          TimeZone.of(schedules.time_zone),
        ),
        target: new targets.LambdaInvoke(target as lambda.IFunction, {
          role: role.withoutPolicyUpdates(),
          input: scheduler.ScheduleTargetInput.fromObject({
            database,
            level: 'restore',
          } satisfies Partial<ValidationEvent>),
          deadLetterQueue,
          retryAttempts: 10,
          maxEventAge: Duration.hours(6),
        }),
      });
    }
  }
}
