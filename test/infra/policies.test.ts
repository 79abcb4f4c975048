import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import example from '../../infra/config/example.ts';
import type { DeploymentInput } from '../../infra/config/schema.ts';
import { compileStatements } from '../../local/iam/evaluate.ts';
import { matches } from '../../local/iam/pattern.ts';
import { rightsReport } from '../../local/rights/report.ts';
import { readPermissions } from '../../local/template/permissions.ts';
import { type Statement, statementsOf } from '../../local/template/statements.ts';
import { routes } from '../../shared/contract/routes.ts';
import { type Synthesized, synthesize } from './support/synthesize.ts';

const secretKey = 'arn:aws:kms:eu-central-1:123456789012:key/0a1b2c3d-0000-4000-8000-000000000000';
const [shop, ledger] = example.databases;
if (shop === undefined || ledger === undefined) throw new Error('The example has no two databases');
/** With everything that brings a policy along. */
const deployment: DeploymentInput = { ...example, databases: [{ ...shop, secret_key_arn: secretKey }, ledger] };

let synthesized: Synthesized;
let statements: Statement[];
/** Names for the ARNs that the rules below speak of. */
let names: [arn: string, name: string][];
beforeAll(async () => {
  synthesized = await synthesize(deployment);
  statements = statementsOf(synthesized.app.resources);
  const { one, ofType } = synthesized;
  names = [
    [one('AWS::S3::Bucket', 'Backups').arn, 'backups'],
    [one('AWS::S3::Bucket', 'Downloads').arn, 'downloads'],
    [one('AWS::S3::Bucket', 'AuditArchive').arn, 'audit-archive'],
    [one('AWS::S3::Bucket', 'AccessLogs').arn, 'access-logs'],
    [one('AWS::DynamoDB::Table', 'State').arn, 'state'],
    [one('AWS::DynamoDB::Table', 'Audit').arn, 'audit'],
    [one('AWS::KMS::Key', 'BackupKey').arn, 'backup-key'],
    [one('AWS::KMS::Key', 'AuditKey').arn, 'audit-key'],
    [one('AWS::KMS::Key', 'MaskingKey').arn, 'masking-key'],
    [one('AWS::KMS::Key', 'DataKey').arn, 'data-key'],
    [secretKey, 'secret-key'],
    [one('AWS::SQS::Queue', 'DeadLetters').arn, 'dead-letters'],
    [one('AWS::SQS::Queue', 'Sampling').arn, 'further-samples'],
    [one('AWS::IAM::Role', 'SchedulesRole').arn, 'schedules-role'],
    ...ofType('AWS::Lambda::Function').map(({ arn, name }): [string, string] => [arn, name]),
    ...ofType('AWS::Logs::LogGroup').map(({ arn }): [string, string] => [arn, 'log-group:*']),
  ];
});

/** An ARN by the name of what it is of; the longest first, as `dbms-backup` begins `dbms-backups-api`. */
function named(resource: string): string {
  const known = names.filter(([arn]) => resource.startsWith(arn)).sort(([a], [b]) => b.length - a.length)[0];
  return known ? known[1] + resource.slice(known[0].length) : resource;
}
/** Each pair of an action and a resource. */
const pairsIn = (some: readonly Statement[]) =>
  some.flatMap(({ effect, actions, resources }) =>
    actions.flatMap((action) =>
      resources.map((resource) => ({ effect, action, resource, right: `${action} ${named(resource)}` })),
    ),
  );
const rightsIn = (some: readonly Statement[]) => pairsIn(some).map(({ right }) => right);
const hasWildcard = (text: string) => /[*?]/.test(text);

/** Every wildcard that stands in a policy: what it allows (or refuses), and why AWS offers nothing narrower. */
const wildcards: Record<string, string> = {
  'allow xray:PutTraceSegments *': 'X-Ray has no resources for traces.',
  'allow xray:PutTelemetryRecords *': 'X-Ray has no resources for traces.',
  'allow logs:CreateLogStream log-group:*': 'A log group’s ARN; the streams in it are named by Lambda.',
  'allow logs:PutLogEvents log-group:*': 'A log group’s ARN; the streams in it are named by Lambda.',
  'allow ec2:DescribeNetworkInterfaces *': 'EC2 has no resource-level permission for describing.',
  'allow ec2:DescribeSubnets *': 'EC2 has no resource-level permission for describing.',
  'allow ec2:CreateNetworkInterface arn:aws:ec2:eu-central-1:123456789012:network-interface/*': 'It has no id yet.',
  'allow ec2:CreateNetworkInterface arn:aws:ec2:eu-central-1:*:subnet/subnet-0aaaaaaaaaaaaaaa1':
    'One subnet by its id; another account may own a shared network.',
  'allow ec2:CreateNetworkInterface arn:aws:ec2:eu-central-1:*:subnet/subnet-0bbbbbbbbbbbbbbb2':
    'One subnet by its id; another account may own a shared network.',
  'allow ec2:CreateNetworkInterface arn:aws:ec2:eu-central-1:*:security-group/sg-0123456789abcdef0':
    'One group by its id; another account may own a shared network.',
  'allow ec2:DeleteNetworkInterface arn:aws:ec2:eu-central-1:123456789012:*/*': 'The form that Lambda asks for.',
  'allow ec2:AssignPrivateIpAddresses arn:aws:ec2:eu-central-1:123456789012:*/*': 'The form that Lambda asks for.',
  'allow ec2:UnassignPrivateIpAddresses arn:aws:ec2:eu-central-1:123456789012:*/*': 'The form that Lambda asks for.',
  'allow lambda:CheckpointDurableExecution dbms-backup:*': 'An execution’s ARN has its version, name and id.',
  'allow lambda:GetDurableExecutionState dbms-backup:*': 'An execution’s ARN has its version, name and id.',
  'allow lambda:CheckpointDurableExecution dbms-restore:*': 'An execution’s ARN has its version, name and id.',
  'allow lambda:GetDurableExecutionState dbms-restore:*': 'An execution’s ARN has its version, name and id.',
  'allow lambda:CheckpointDurableExecution dbms-rebuild-catalog:*': 'An execution’s ARN has its version, name and id.',
  'allow lambda:GetDurableExecutionState dbms-rebuild-catalog:*': 'An execution’s ARN has its version, name and id.',
  'allow cloudwatch:PutMetricData *': 'CloudWatch has no resources for metrics; the condition names the namespace.',
  'allow scheduler:GetSchedule arn:aws:scheduler:eu-central-1:123456789012:schedule/dbms-backups/*':
    'The schedules of one group, which are made at run time.',
  'allow scheduler:CreateSchedule arn:aws:scheduler:eu-central-1:123456789012:schedule/dbms-backups/*':
    'The schedules of one group, which are made at run time.',
  'allow scheduler:UpdateSchedule arn:aws:scheduler:eu-central-1:123456789012:schedule/dbms-backups/*':
    'The schedules of one group, which are made at run time.',
  'allow scheduler:DeleteSchedule arn:aws:scheduler:eu-central-1:123456789012:schedule/dbms-backups/*':
    'The schedules of one group, which are made at run time.',
  'allow lambda:CheckpointDurableExecution dbms-download:*': 'An execution’s ARN has its version, name and id.',
  'allow lambda:GetDurableExecutionState dbms-download:*': 'An execution’s ARN has its version, name and id.',
  'allow lambda:DeleteFunction dbms-backup:*': 'A version’s number is given when it is published.',
  'allow lambda:DeleteFunction dbms-restore:*': 'A version’s number is given when it is published.',
  'allow lambda:DeleteFunction dbms-validate:*': 'A version’s number is given when it is published.',
  'allow lambda:DeleteFunction dbms-rebuild-catalog:*': 'A version’s number is given when it is published.',
  'allow lambda:DeleteFunction dbms-download:*': 'A version’s number is given when it is published.',
  'allow lambda:DeleteFunction dbms-export-lane:*': 'A version’s number is given when it is published.',
  'allow lambda:DeleteFunction dbms-snapshot-holder:*': 'A version’s number is given when it is published.',
  'allow lambda:ListDurableExecutionsByFunction dbms-backup:*': 'A version’s number is given when it is published.',
  'allow lambda:ListDurableExecutionsByFunction dbms-restore:*': 'A version’s number is given when it is published.',
  'allow lambda:ListDurableExecutionsByFunction dbms-validate:*': 'A version’s number is given when it is published.',
  'allow lambda:ListDurableExecutionsByFunction dbms-rebuild-catalog:*':
    'A version’s number is given when it is published.',
  'allow lambda:ListDurableExecutionsByFunction dbms-download:*': 'A version’s number is given when it is published.',
  'allow lambda:ListDurableExecutionsByFunction dbms-export-lane:*':
    'A version’s number is given when it is published.',
  'allow lambda:ListDurableExecutionsByFunction dbms-snapshot-holder:*':
    'A version’s number is given when it is published.',
  'allow lambda:InvokeFunction dbms-export-lane:*': 'A backup goes on with the version that it began with.',
  'allow lambda:InvokeFunction dbms-snapshot-holder:*': 'A backup goes on with the version that it began with.',
  'allow cloudwatch:GetMetricData *': 'CloudWatch has no resources for metrics, and no condition for reading them.',
  'allow lambda:CheckpointDurableExecution dbms-validate:*': 'An execution’s ARN has its version, name and id.',
  'allow lambda:GetDurableExecutionState dbms-validate:*': 'An execution’s ARN has its version, name and id.',
  'allow s3:GetObjectRetention backups/databases/*': 'Objects get their keys when a backup is made.',
  'allow s3:PutObject backups/databases/*': 'Objects get their keys when a backup is made.',
  'allow s3:GetObject backups/databases/*/backups/*/manifest.json.enc': 'A backup’s path is made when the backup is.',
  'allow s3:GetObject backups/databases/*/backups/*/schema.json.zst.enc': 'A backup’s path is made when the backup is.',
  'allow s3:GetObject backups/databases/*/backups/*/work/*': 'A backup’s path is made when the backup is.',
  'allow s3:PutObject backups/databases/*/changes/*': 'Objects get their keys when changes are captured.',
  'allow s3:GetObject backups/databases/*/changes/*': 'Objects get their keys when changes are captured.',
  'allow s3:DeleteObject backups/databases/*/changes/*': 'Objects get their keys when changes are captured.',
  'allow s3:AbortMultipartUpload backups/databases/*/changes/*': 'Objects get their keys when changes are captured.',
  'allow s3:GetObject backups/databases/*': 'Objects get their keys when a backup is made.',
  'allow s3:DeleteObject backups/databases/*': 'Objects get their keys when a backup is made.',
  'allow s3:AbortMultipartUpload backups/databases/*': 'Objects get their keys when a backup is made.',
  'allow s3:PutObject audit-archive/audit/*': 'Objects get their keys when the audit trail is sealed.',
  'allow s3:AbortMultipartUpload audit-archive/audit/*': 'Objects get their keys when the audit trail is sealed.',
  'allow s3:GetObject audit-archive/audit/*': 'Objects get their keys when the audit trail is sealed.',
  'allow s3:PutObject downloads/*': 'A bucket of its own; its keys are made with the files.',
  'allow s3:GetObject downloads/*': 'A bucket of its own; its keys are made with the files.',
  'allow s3:DeleteObject downloads/*': 'A bucket of its own; its keys are made with the files.',
  'allow s3:AbortMultipartUpload downloads/*': 'A bucket of its own; its keys are made with the files.',
  'allow s3:ListMultipartUploadParts downloads/*': 'A bucket of its own; its keys are made with the files.',
  'allow s3:PutObject access-logs/*': 'S3 names the logs that it writes, from the one bucket in the condition.',
  'allow execute-api:Invoke execute-api:/*':
    'The API’s own policy: the API itself, from the addresses in the condition; the authorizer decides the rest.',
  'allow kms:* *': 'A key’s own policy: the resource is the key itself, and the account must keep the hold of it.',
  'allow kms:Decrypt *': 'A key’s own policy, for CloudWatch Logs: the condition names the log groups.',
  'allow kms:Encrypt *': 'A key’s own policy, for CloudWatch Logs: the condition names the log groups.',
  'allow kms:ReEncrypt* *': 'The form that CloudWatch Logs asks for; the condition names the log groups.',
  'allow kms:GenerateDataKey* *': 'The form that CloudWatch Logs asks for; the condition names the log groups.',
  'allow kms:Describe* *': 'The form that CloudWatch Logs asks for; the condition names the log groups.',
  'deny s3:* backups': 'A refusal of all that comes without TLS.',
  'deny s3:* backups/*': 'A refusal of all that comes without TLS.',
  'deny s3:* downloads': 'A refusal of all that comes without TLS.',
  'deny s3:* downloads/*': 'A refusal of all that comes without TLS.',
  'deny s3:GetObject downloads/*': 'A refusal of presigned URLs from other addresses.',
  'deny s3:GetObjectVersion downloads/*': 'A refusal of presigned URLs from other addresses.',
  'deny s3:GetObject backups/*': 'A refusal of presigned URLs from other addresses.',
  'deny s3:GetObjectVersion backups/*': 'A refusal of presigned URLs from other addresses.',
  'deny s3:* access-logs': 'A refusal of all that comes without TLS.',
  'deny s3:* access-logs/*': 'A refusal of all that comes without TLS.',
  'deny sqs:* dead-letters': 'A refusal of all that comes without TLS.',
  'deny sqs:* further-samples': 'A refusal of all that comes without TLS.',
  'deny s3:* audit-archive': 'A refusal of all that comes without TLS.',
  'deny s3:* audit-archive/*': 'A refusal of all that comes without TLS.',
  'deny s3:PutObject audit-archive/*': 'A refusal of every other encryption.',
  'deny s3:DeleteObject audit-archive/*': 'A refusal of every deletion.',
  'deny s3:DeleteObjectVersion audit-archive/*': 'A refusal of every deletion.',
  'deny s3:BypassGovernanceRetention audit-archive/*': 'A refusal of every deletion.',
  'allow rds:DescribeDBInstances arn:aws:rds:eu-central-1:123456789012:db:*':
    'A cluster’s instances come and go; of databases that are instances alone, each is named.',
  'allow rds:DescribeDBParameters arn:aws:rds:eu-central-1:123456789012:pg:*':
    'Which group a server has is not known beforehand.',
  'allow rds:DescribeDBClusterParameters arn:aws:rds:eu-central-1:123456789012:cluster-pg:*':
    'Which group a cluster has is not known beforehand.',
  'deny s3:PutObject downloads/*': 'A refusal of every other encryption.',
  'deny s3:PutObject backups/*': 'A refusal of every other encryption.',
};

describe('wildcards', () => {
  it('stand only where AWS offers nothing narrower', () => {
    const found = pairsIn(statements)
      .filter(({ action, resource }) => hasWildcard(action) || hasWildcard(resource))
      .map(({ effect, right }) => `${effect.toLowerCase()} ${right}`);
    expect([...new Set(found)].sort()).toEqual(Object.keys(wildcards).sort());
  });

  it('never turn a statement around', () => {
    const wrong = statements.filter(({ text }) => /"Not(Action|Resource|Principal)"/.test(text));
    expect(wrong).toEqual([]);
  });

  it('let everybody in nowhere: only refusals are for all, and the API for all of some addresses', () => {
    const open = statements.filter(
      ({ principal, effect }) => /"\*"/.test(JSON.stringify(principal ?? '')) && effect === 'Allow',
    );
    // Its condition is addresses.
    expect(open).toMatchObject([
      {
        holder: { type: 'AWS::ApiGateway::RestApi' },
        conditions: { IpAddress: { 'aws:SourceIp': example.allowed_address_ranges } },
      },
    ]);
  });

  it('of the keys’ policies are for the account alone', () => {
    const all = statements.filter(({ actions }) => actions.includes('kms:*'));
    expect(all.map(({ holder }) => holder.type)).toEqual(Array(4).fill('AWS::KMS::Key'));
    for (const each of all) {
      expect(each).toMatchObject({ principal: { AWS: 'arn:aws:iam::123456789012:root' }, conditions: {} });
    }
  });

  it('in the callers of functions stand only for path parameters', () => {
    const parameterized = routes.filter(({ path }) => path.includes('{')).length;
    const permissions = synthesized.ofType('AWS::Lambda::Permission').map(({ properties }) => properties);
    for (const { Principal, SourceArn } of permissions) {
      expect(Principal).toMatch(/^(apigateway|events|logs)\.amazonaws\.com$/);
      expect(SourceArn).toMatch(/^arn:aws:(execute-api|events|logs):/);
    }
    // A group of logs is named with all its streams.
    const ofApi = permissions.filter(({ Principal }) => Principal !== 'logs.amazonaws.com');
    const wide = ofApi.filter(({ SourceArn }) => hasWildcard(String(SourceArn)));
    expect(wide.map(({ SourceArn }) => String(SourceArn).split('/v1/')[1])).toEqual(
      Array(parameterized).fill(expect.stringMatching(/^[A-Z]+\/api\/database(\/[\w-]+)+\/\*(\/[\w-]+)?$/)),
    );
  });
});

describe('least privilege', () => {
  const of = (name: string) => statements.filter(({ roles }) => roles.includes(name));

  it('gives each function what docs/rights.md says, and nothing more', async () => {
    const { app } = await synthesize(example);
    // After a change that is meant: npm run synth && npm run rights -- --write docs/rights.md
    expect(rightsReport(app.resources)).toBe(readFileSync('docs/rights.md', 'utf8'));
  });

  it('lets each function write just its own log', () => {
    for (const { name, properties } of synthesized.ofType('AWS::Lambda::Function')) {
      const log = synthesized
        .ofType('AWS::Logs::LogGroup')
        .find((group) => group.name === (properties.LoggingConfig as { LogGroup: string }).LogGroup);
      const logs = of(name).filter(({ actions }) => actions.includes('logs:PutLogEvents'));
      expect(logs.map(({ resources }) => resources)).toEqual([[log?.arn]]);
    }
  });

  it('lets schedules start backups and hand over what was not started', () => {
    const role = synthesized.one('AWS::IAM::Role', 'SchedulesRole').name;
    expect(rightsIn(of(role)).sort()).toEqual([
      'lambda:InvokeFunction dbms-backup:live',
      'sqs:SendMessage dead-letters',
    ]);
  });

  it('lets the role of the schedules be passed to EventBridge Scheduler alone', () => {
    const passed = statements.filter(({ actions }) => actions.includes('iam:PassRole'));
    expect(passed.map(({ roles }) => roles)).toEqual([['dbms-watch-schedules'], ['dbms-schedules-api']]);
    for (const { conditions, actions } of passed) {
      expect(actions).toEqual(['iam:PassRole']);
      expect(conditions).toEqual({ StringEquals: { 'iam:PassedToService': 'scheduler.amazonaws.com' } });
    }
  });

  it('opens secrets only through Secrets Manager', () => {
    const open = statements.filter(({ resources }) => resources.includes(secretKey));
    expect(open).toHaveLength(17);
    for (const { conditions, actions } of open) {
      expect(actions).toEqual(['kms:Decrypt']);
      expect(conditions).toEqual({ StringEquals: { 'kms:ViaService': 'secretsmanager.eu-central-1.amazonaws.com' } });
    }
  });

  it('asks for a prefix only where S3 knows of one', () => {
    const conditional = statements.filter(({ conditions }) => JSON.stringify(conditions).includes('s3:prefix'));
    expect(conditional.length).toBeGreaterThan(0);
    expect(conditional.flatMap(({ actions }) => actions).filter((action) => action !== 's3:ListBucket')).toEqual([]);
  });

  it('lets S3 tell each function that reads objects that one is missing', () => {
    const { callers } = readPermissions(synthesized.app.resources);
    // S3 asks for the right to list, of a request that has no prefix.
    const mayList = (role: string, bucket: string) =>
      compileStatements(callers[role]?.statements ?? [])({
        action: 's3:ListBucket',
        resource: `arn:aws:s3:::${bucket}`,
      }) === 'allowed';
    const buckets = synthesized.ofType('AWS::S3::Bucket');
    const reads = statements
      .filter(({ effect, actions }) => effect === 'Allow' && actions.some((action) => /^s3:GetObject/.test(action)))
      .flatMap(({ roles, resources }) =>
        roles.flatMap((role) =>
          buckets
            .filter(({ arn }) => resources.some((resource) => resource.startsWith(`${arn}/`)))
            .map(({ name }) => ({ role, bucket: name })),
        ),
      );
    expect(new Set(reads.map(({ role }) => role)).size).toBeGreaterThan(10);
    expect(reads.filter(({ role, bucket }) => !mayList(role, bucket))).toEqual([]);
  });

  it('lets nobody change or delete what was audited', () => {
    const audit = synthesized.one('AWS::DynamoDB::Table', 'Audit').arn;
    const allowed = statements
      .filter(({ effect, holder }) => effect === 'Allow' && holder.type !== 'AWS::KMS::Key')
      .filter(({ resources }) =>
        [audit, `${audit}/index/any`].some((arn) => resources.some((wide) => matches(wide, arn))),
      )
      .flatMap(({ actions }) => actions)
      .filter((action) => /^(\*|dynamodb:)/.test(action));
    const harmless = new Set(['GetItem', 'Query', 'PutItem', 'DescribeTable'].map((action) => `dynamodb:${action}`));
    expect(allowed.filter((action) => !harmless.has(action))).toEqual([]);
  });

  it('lets those that write the audit trail read no more of it than the heads of its chains', () => {
    const audit = synthesized.one('AWS::DynamoDB::Table', 'Audit').arn;
    const reading = statements.filter(
      ({ actions, resources }) =>
        actions.includes('dynamodb:GetItem') && resources.includes(audit) && !actions.includes('dynamodb:Query'),
    );
    expect(reading.length).toBeGreaterThan(10);
    for (const { conditions } of reading) {
      expect(conditions).toEqual({
        'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': ['HEAD#*'] },
        Null: { 'dynamodb:LeadingKeys': 'false' },
      });
    }
  });

  it('lets AWS services alone take on a role', () => {
    const trusted = statements.filter(({ actions }) => actions.includes('sts:AssumeRole'));
    expect(trusted).toHaveLength(synthesized.ofType('AWS::IAM::Role').length);
    const services = trusted.map(({ principal }) => (principal as { Service: string }).Service);
    expect(new Set(services)).toEqual(
      new Set(['lambda.amazonaws.com', 'scheduler.amazonaws.com', 'apigateway.amazonaws.com']),
    );
  });

  it('lets EventBridge Scheduler take on a role for schedules of this account and one group alone', () => {
    const trusted = statements.filter(
      ({ actions, principal }) =>
        actions.includes('sts:AssumeRole') && (principal as { Service: string }).Service === 'scheduler.amazonaws.com',
    );
    expect(trusted).toHaveLength(5);
    const groups = trusted.map(({ conditions }) => {
      const { 'aws:SourceAccount': account, 'aws:SourceArn': group } = conditions.StringEquals ?? {};
      expect(account).toBe('123456789012');
      return String(group).replace('arn:aws:scheduler:eu-central-1:123456789012:schedule-group/', '');
    });
    expect(groups.sort()).toEqual(['dbms-backups', 'default', 'default', 'default', 'default']);
  });

  it('brings no managed policy, but the one that API Gateway asks for on its account-wide role', () => {
    const managed = synthesized.app.resources.filter(({ properties }) => properties.ManagedPolicyArns !== undefined);
    expect(managed.map(({ type, properties }) => [type, properties.ManagedPolicyArns])).toEqual([
      ['AWS::IAM::Role', ['arn:aws:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs']],
    ]);
    expect(managed[0]?.properties.AssumeRolePolicyDocument).toMatchObject({
      Statement: [{ Principal: { Service: 'apigateway.amazonaws.com' } }],
    });
    expect(synthesized.ofType('AWS::IAM::ManagedPolicy')).toEqual([]);
  });
});
