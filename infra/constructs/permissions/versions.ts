import { Stack, Validations } from 'aws-cdk-lib';
import type * as iam from 'aws-cdk-lib/aws-iam';
import type * as lambda from 'aws-cdk-lib/aws-lambda';
import type { Construct } from 'constructs';
import { allow } from './allow.ts';

/** Any version of a function, and not the function itself. */
export function anyVersionOf(scope: Construct, fn: lambda.Function, reason: string): string {
  const logicalId = Stack.of(scope).getLogicalId(fn.node.defaultChild as lambda.CfnFunction);
  Validations.of(scope).acknowledge({ id: `AwsSolutions-IAM5[Resource::<${logicalId}.Arn>:*]`, reason });
  return `${fn.functionArn}:*`;
}

/** Lists versions, aliases and executions of functions, and deletes versions: never a function itself. */
export function pruneVersionsOf(scope: Construct, functions: readonly lambda.Function[]): iam.PolicyStatement[] {
  const arns = functions.map(({ functionArn }) => functionArn);
  const versions = functions.map((fn) => anyVersionOf(scope, fn, 'Which versions are old is not known beforehand.'));
  return [
    allow(['lambda:ListVersionsByFunction', 'lambda:ListAliases'], arns),
    allow(['lambda:ListDurableExecutionsByFunction'], [...arns, ...versions]),
    allow(['lambda:DeleteFunction'], versions),
  ];
}
