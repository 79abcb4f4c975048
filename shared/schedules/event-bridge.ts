import {
  ConflictException,
  CreateScheduleCommand,
  type CreateScheduleCommandInput,
  DeleteScheduleCommand,
  GetScheduleCommand,
  type GetScheduleCommandOutput,
  ResourceNotFoundException,
  type SchedulerClient,
  UpdateScheduleCommand,
} from '@aws-sdk/client-scheduler';
import { toEventBridgeCron } from '../configuration/cron.ts';
import type { BackupEvent } from '../jobs/events.ts';
import type { ScheduleName } from '../state/schedule-runs.ts';
import type { Plan } from '../state/schedules.ts';

/** Where schedules are kept, and what they start. */
export interface ScheduleGroup {
  scheduler: SchedulerClient;
  /** The group that holds this system's schedules alone. */
  group: string;
  /** The backup function, with its alias. */
  functionArn: string;
  /** The role in whose name the function is invoked. */
  roleArn: string;
  /** Receives what could not be started. */
  deadLetterQueueArn: string;
}

/** What EventBridge Scheduler has, and what time it was by its clock when it said so. */
export interface FoundSchedule {
  schedule: GetScheduleCommandOutput | null;
  now: Date;
}

/** How long EventBridge Scheduler tries to start a run. */
const RETRIES = { MaximumRetryAttempts: 10, MaximumEventAgeInSeconds: 6 * 3600 };

export async function findSchedule(
  { scheduler, group }: Pick<ScheduleGroup, 'scheduler' | 'group'>,
  name: ScheduleName,
): Promise<FoundSchedule> {
  const command = new GetScheduleCommand({ GroupName: group, Name: nameOf(name) });
  let date: string | undefined;
  command.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      date = (result.response as { headers?: Record<string, string> }).headers?.date;
      return result;
    },
    // Beneath the SDK's own, which throws when there is no such schedule.
    { step: 'deserialize', name: 'readDate', priority: 'low' },
  );
  const schedule = await scheduler.send(command).catch((error: unknown) => {
    if (error instanceof ResourceNotFoundException) return null;
    throw error;
  });
  const now = new Date(date ?? Number.NaN);
  if (Number.isNaN(now.getTime())) throw new Error('EventBridge Scheduler answered without its time');
  return { schedule, now };
}

/** Makes EventBridge Scheduler have just this plan, or none for null. @returns false when it had it so already */
export async function putSchedule(
  group: ScheduleGroup,
  name: ScheduleName,
  plan: Plan | null,
  found: FoundSchedule['schedule'],
): Promise<boolean> {
  const { scheduler } = group;
  if (plan === null) {
    if (!found) return false;
    const remove = new DeleteScheduleCommand({ GroupName: group.group, Name: nameOf(name) });
    await scheduler.send(remove).catch((error: unknown) => {
      if (!(error instanceof ResourceNotFoundException)) throw error;
    });
    return true;
  }
  if (isAsPlanned(group, name, plan, found)) return false;
  const input = inputOf(group, name, plan);
  if (found) {
    await scheduler.send(new UpdateScheduleCommand(input));
    return true;
  }
  await scheduler.send(new CreateScheduleCommand(input)).catch(async (error: unknown) => {
    // Somebody else was quicker, on the same way.
    if (!(error instanceof ConflictException)) throw error;
    await scheduler.send(new UpdateScheduleCommand(input));
  });
  return true;
}

/** Whether EventBridge Scheduler has just this plan. */
export function isAsPlanned(
  group: ScheduleGroup,
  name: ScheduleName,
  plan: Plan | null,
  found: FoundSchedule['schedule'],
): boolean {
  if (!plan || !found) return !plan && !found;
  return JSON.stringify(fingerprint(found)) === JSON.stringify(fingerprint(inputOf(group, name, plan)));
}

const nameOf = ({ database, backupType }: ScheduleName): string => `${backupType}-${database}`;

function inputOf(group: ScheduleGroup, name: ScheduleName, plan: Plan): CreateScheduleCommandInput {
  const event = {
    database: name.database,
    backup_type: name.backupType,
    ...(plan.masked ? { masked: true } : {}),
    // EventBridge Scheduler puts the time in its place for which the run was planned.
    scheduled_at: '<aws.scheduler.scheduled-time>',
  } satisfies Partial<BackupEvent>;
  return {
    GroupName: group.group,
    Name: nameOf(name),
    Description: `Backup (${name.backupType}) of ${name.database}: ${plan.cron}`,
    ScheduleExpression: toEventBridgeCron(plan.cron),
    ScheduleExpressionTimezone: plan.time_zone,
    State: plan.enabled ? 'ENABLED' : 'DISABLED',
    FlexibleTimeWindow: { Mode: 'OFF' },
    Target: {
      Arn: group.functionArn,
      RoleArn: group.roleArn,
      Input: JSON.stringify(event),
      DeadLetterConfig: { Arn: group.deadLetterQueueArn },
      RetryPolicy: RETRIES,
    },
  };
}

/** What makes a difference to the runs. */
function fingerprint({
  ScheduleExpression,
  ScheduleExpressionTimezone,
  State,
  FlexibleTimeWindow,
  StartDate,
  EndDate,
  Target,
}: CreateScheduleCommandInput | GetScheduleCommandOutput): unknown[] {
  return [
    ScheduleExpression,
    ScheduleExpressionTimezone,
    State,
    FlexibleTimeWindow?.Mode,
    StartDate ?? null,
    EndDate ?? null,
    Target?.Arn,
    Target?.RoleArn,
    Target?.Input,
    Target?.DeadLetterConfig?.Arn,
    Target?.RetryPolicy?.MaximumRetryAttempts,
    Target?.RetryPolicy?.MaximumEventAgeInSeconds,
  ];
}
