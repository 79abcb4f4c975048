import { Duration, TimeZone } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import type * as lambda from 'aws-cdk-lib/aws-lambda';
import * as scheduler from 'aws-cdk-lib/aws-scheduler';
import * as targets from 'aws-cdk-lib/aws-scheduler-targets';
import type * as sqs from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import type { BackupType } from '../../shared/contract/schemas/backup.ts';
import type { BackupEvent } from '../../shared/jobs/events.ts';
import { toEventBridgeCron } from '../config/cron.ts';
import type { Deployment } from '../config/schema.ts';

export interface BackupSchedulesProps {
  readonly deployment: Deployment;
  /** The backup function, with its alias. */
  readonly target: lambda.Alias;
  /** Receives what could not be started. */
  readonly deadLetterQueue: sqs.Queue;
}

/** The backup types that run by themselves. */
const scheduled = ['full', 'schema'] as const satisfies readonly BackupType[];

/** A schedule for each database and type of backup, unless the configuration says null for the type. */
export class BackupSchedules extends Construct {
  constructor(scope: Construct, id: string, { deployment, target, deadLetterQueue }: BackupSchedulesProps) {
    super(scope, id);
    const { databases, schedules, prefix } = deployment;
    const role = new iam.Role(this, 'Role', {
      assumedBy: new iam.ServicePrincipal('scheduler.amazonaws.com'),
      description: `Lets the schedules of ${prefix} start backups`,
    });
    role.addToPolicy(new iam.PolicyStatement({ actions: ['lambda:InvokeFunction'], resources: [target.functionArn] }));
    role.addToPolicy(new iam.PolicyStatement({ actions: ['sqs:SendMessage'], resources: [deadLetterQueue.queueArn] }));

    for (const backup_type of scheduled) {
      const expression = schedules[backup_type];
      if (expression === null) continue;
      for (const { id: database } of databases) {
        new scheduler.Schedule(this, `${backup_type}-${database}`, {
          scheduleName: `${prefix}-${backup_type}-${database}`,
          description: `Backup (${backup_type}) of ${database}: ${expression}`,
          schedule: scheduler.ScheduleExpression.expression(
            toEventBridgeCron(expression),
            TimeZone.of(schedules.time_zone),
          ),
          // Here and in the stacks: CDK's classes do not fit its own interfaces under exactOptionalPropertyTypes.
          target: new targets.LambdaInvoke(target as lambda.IFunction, {
            // A role that stands alone keeps the narrow rights above; CDK would add the function's every version.
            role: role.withoutPolicyUpdates(),
            input: scheduler.ScheduleTargetInput.fromObject({ database, backup_type } satisfies Partial<BackupEvent>),
            deadLetterQueue,
            retryAttempts: 10,
            maxEventAge: Duration.hours(6),
          }),
        });
      }
    }
  }
}
