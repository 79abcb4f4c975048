import { ArnFormat, Stack } from 'aws-cdk-lib';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as logs from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import { LOG_GROUPS, reportFilter } from '../../shared/alerts/function-reports.ts';
import type { NodeFunction } from './node-function.ts';

export interface FunctionReportsProps {
  readonly prefix: string;
  readonly watched: readonly NodeFunction[];
  /** Answers the reports; its own it must not get, or it would never end. */
  readonly receiver: NodeFunction;
}

/**
 * Has CloudWatch Logs hand over Lambda's own reports of invocations that failed or took nearly all of their time: within seconds, with
 * the request that it was, and without what an alarm for each function costs; see docs/decisions/0065-detection-without-alarms.md.
 */
export class FunctionReports extends Construct {
  constructor(scope: Construct, id: string, { prefix, watched, receiver }: FunctionReportsProps) {
    super(scope, id);
    const stack = Stack.of(this);
    const permission = new lambda.CfnPermission(this, 'Invoke', {
      action: 'lambda:InvokeFunction',
      functionName: receiver.fn.functionArn,
      principal: 'logs.amazonaws.com',
      sourceAccount: stack.account,
      sourceArn: stack.formatArn({
        service: 'logs',
        resource: 'log-group',
        resourceName: `${LOG_GROUPS}${prefix}-*:*`,
        arnFormat: ArnFormat.COLON_RESOURCE_NAME,
      }),
    });
    for (const one of watched) {
      const { deployedName, logGroup, timeout, isDurable } = one;
      const filter = new logs.CfnSubscriptionFilter(this, deployedName, {
        logGroupName: one.logGroupName,
        destinationArn: receiver.fn.functionArn,
        filterPattern: reportFilter({ timeoutMs: timeout.toMilliseconds(), isDurable }),
      });
      // Of another stack, its stack is deployed before this one.
      filter.node.addDependency(permission, logGroup);
    }
  }
}
