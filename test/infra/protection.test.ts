import { App, Stack } from 'aws-cdk-lib';
import * as kms from 'aws-cdk-lib/aws-kms';
import * as s3 from 'aws-cdk-lib/aws-s3';
import { expect, it } from 'vitest';
import type { Deployment } from '../../infra/config/schema.ts';
import { readProtection } from '../../infra/constructs/permissions/protection.ts';

const domain = 'cabc.eu-central-1.rds.amazonaws.com';

/** What may be described of RDS, by action and the last parts of the ARNs. */
function described(...databases: { kind: string; host: string; instance_id?: string }[]): Record<string, string[]> {
  const env = { account: '123456789012', region: 'eu-central-1' };
  const stack = new Stack(new App(), 'Stack', { env });
  const withLogins = databases.map((each) => ({ ...each, login: { type: 'iam' } }));
  const statements = readProtection(
    stack,
    new s3.Bucket(stack, 'Bucket'),
    new kms.Key(stack, 'Key'),
    withLogins as Deployment['databases'],
  );
  return Object.fromEntries(
    statements
      .filter(({ actions }) => actions[0]?.startsWith('rds:'))
      .map(({ actions, resources }) => [
        actions.join(),
        resources
          .map((arn) => stack.resolve(arn))
          .map((arn) => arn['Fn::Join'][1].at(-1).replace(/^:rds:eu-central-1:\d+:/, '')),
      ]),
  );
}

it('names each instance that is asked for, and nothing of servers that are not of RDS', () => {
  expect(
    described(
      { kind: 'rds', host: `shop.${domain}` },
      { kind: 'rds', host: 'db.example', instance_id: 'orders' },
      { kind: 'rds', host: 'unknown.example' },
      { kind: 'self-managed', host: `own.${domain}` },
    ),
  ).toEqual({ 'rds:DescribeDBInstances': ['db:shop', 'db:orders'], 'rds:DescribeDBParameters': ['pg:*'] });
});

it('names the cluster, not an instance of its name; its instances are known to RDS alone', () => {
  expect(described({ kind: 'aurora', host: `ledger.cluster-${domain}` })).toEqual({
    'rds:DescribeDBInstances': ['db:*'],
    'rds:DescribeDBClusters': ['cluster:ledger'],
    'rds:DescribeDBParameters': ['pg:*'],
    'rds:DescribeDBClusterParameters': ['cluster-pg:*'],
  });
});

it('asks for any cluster where only a member of it is named', () => {
  expect(described({ kind: 'aurora', host: `ledger-a.${domain}` })).toMatchObject({
    'rds:DescribeDBClusters': ['cluster:*'],
  });
});
