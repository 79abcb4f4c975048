import { Stack, Validations } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import type { Construct } from 'constructs';
import type { Deployment } from '../config/schema.ts';

type Vpc = NonNullable<Deployment['databases'][number]['vpc']>;

/**
 * What the role of a function in a VPC must allow: Lambda makes and removes the network interfaces in its name.
 *
 * @param scope - holds the role's policy
 */
export function networkInterfaces(scope: Construct, vpc: Vpc): iam.PolicyStatement[] {
  const stack = Stack.of(scope);
  const arn = (resource: string, resourceName: string, account = stack.account) =>
    stack.formatArn({ service: 'ec2', resource, resourceName, account });
  // An id names one subnet or group; its owner is left open, because the network may be one that another account shares.
  const inNetwork = [
    ...vpc.subnet_ids.map((id) => arn('subnet', id, '*')),
    ...vpc.security_group_ids.map((id) => arn('security-group', id, '*')),
  ];
  // EC2 makes up an interface's id when it makes the interface.
  const newInterfaces = arn('network-interface', '*');
  // Their ids are not known beforehand. Lambda's guide gives this form and warns of others; only interfaces can be meant.
  const interfaces = arn('*', '*');
  for (const wildcard of [...inNetwork, newInterfaces, interfaces]) {
    Validations.of(scope).acknowledge({
      id: `AwsSolutions-IAM5[Resource::${written(stack.resolve(wildcard))}]`,
      reason: 'See networkInterfaces.',
    });
  }
  return [
    new iam.PolicyStatement({
      actions: ['ec2:CreateNetworkInterface'],
      resources: [...inNetwork, newInterfaces],
    }),
    new iam.PolicyStatement({
      actions: ['ec2:DeleteNetworkInterface', 'ec2:AssignPrivateIpAddresses', 'ec2:UnassignPrivateIpAddresses'],
      resources: [interfaces],
    }),
    new iam.PolicyStatement({
      actions: ['ec2:DescribeNetworkInterfaces', 'ec2:DescribeSubnets'],
      // EC2 offers no resource-level permission for describing.
      resources: ['*'],
    }),
  ];
}

/** An ARN in cdk-nag's writing: references in angle brackets. */
export function written(arn: string | { 'Fn::Join': [string, (string | { Ref: string })[]] }): string {
  if (typeof arn === 'string') return arn;
  return arn['Fn::Join'][1].map((part) => (typeof part === 'string' ? part : `<${part.Ref}>`)).join('');
}
