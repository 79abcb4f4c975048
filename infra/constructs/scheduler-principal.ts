import { Stack } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import type { Construct } from 'constructs';

/** The group of schedules that name none. */
const DEFAULT_GROUP = 'default';

/**
 * EventBridge Scheduler, for the schedules of one group of this account alone: no schedule of anybody else's takes on the role. Scheduler
 * names the group, never a single schedule.
 */
export function schedulerPrincipal(scope: Construct, group: string = DEFAULT_GROUP): iam.ServicePrincipal {
  const stack = Stack.of(scope);
  const groupArn = stack.formatArn({ service: 'scheduler', resource: 'schedule-group', resourceName: group });
  return new iam.ServicePrincipal('scheduler.amazonaws.com', {
    conditions: { StringEquals: { 'aws:SourceAccount': stack.account, 'aws:SourceArn': groupArn } },
  });
}
