import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CloudWatchClient, PutMetricDataCommand } from '@aws-sdk/client-cloudwatch';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DecryptCommand, GenerateDataKeyCommand, GenerateMacCommand, KMSClient } from '@aws-sdk/client-kms';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { CreateScheduleCommand, SchedulerClient } from '@aws-sdk/client-scheduler';
import { SESClient, SendEmailCommand } from '@aws-sdk/client-ses';
import { GetCommand, PutCommand, QueryCommand, TransactWriteCommand } from '@aws-sdk/lib-dynamodb';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import example from '../../infra/config/example.ts';
import { createAccess } from '../../local/iam/access.ts';
import { compileStatements } from '../../local/iam/evaluate.ts';
import { serveLambda } from '../../local/lambda/server.ts';
import { createLambdaService } from '../../local/lambda/service.ts';
import { provision } from '../../local/provision.ts';
import { readPermissions } from '../../local/template/permissions.ts';
import { samplePartitions } from '../../shared/health/sample-store.ts';
import { createAuditor } from '../../shared/security/audit/auditor.ts';
import { createSealer } from '../../shared/security/audit/seal-chains.ts';
import { openTable } from '../../shared/state/table.ts';
import { clientOptions, useServices } from '../local/aws/support.ts';
import { type Synthesized, synthesize } from './support/synthesize.ts';

const services = useServices();
let synthesized: Synthesized;
let state: string;
let audit: string;
let keys: Record<'backup' | 'data' | 'masking', string>;
let buckets: Record<'backups' | 'downloads' | 'archive', string>;
beforeAll(async () => {
  // In the account and region of the local endpoints.
  const { region: _region, account: _account, ...deployment } = example;
  synthesized = await synthesize(deployment);
  const { app, one } = synthesized;
  await provision(app.resources, services.current);
  await services.current.setPermissions(readPermissions(app.resources));
  state = one('AWS::DynamoDB::Table', 'State').name;
  audit = one('AWS::DynamoDB::Table', 'Audit').name;
  const key = (id: string) => one('AWS::KMS::Key', id).arn;
  keys = { backup: key('BackupKey'), data: key('DataKey'), masking: key('MaskingKey') };
  const bucket = (id: string) => one('AWS::S3::Bucket', id).name;
  buckets = { backups: bucket('Backups'), downloads: bucket('Downloads'), archive: bucket('AuditArchive') };
});

/** The options of a client that calls in the name of a function, or, without one, of an administrator. */
function as(service: 'dynamodb' | 'kms' | 's3' | 'scheduler' | 'ses' | 'cloudwatch', name?: string) {
  const options = clientOptions(services.current.endpoints[service]);
  const credentials = { accessKeyId: name === undefined ? 'local' : `dbms-${name}`, secretAccessKey: 'local' };
  return { ...options, credentials, forcePathStyle: true };
}
const dynamodb = (name?: string) => new DynamoDBClient(as('dynamodb', name));
const kms = (name?: string) => new KMSClient(as('kms', name));
const s3 = (name?: string) => new S3Client(as('s3', name));

/** AWS's answer, and the action that it names. */
const refused = (action: string) => ({
  name: expect.stringMatching(/^AccessDenied/),
  message: expect.stringContaining(`is not authorized to perform: ${action} on resource: `),
});
const settings = [
  'SECURITY_SETTINGS',
  'SECURITY_SETTINGS#7',
  'TOKEN_REVOCATION#sub#eve',
  'MASKING_KEY',
  'ALERT_SETTINGS#shop',
  'COMPLIANCE_WAIVERS#shop',
  'SCHEDULES#shop',
];
const put = (TableName: string, pk: string) => new PutCommand({ TableName, Item: { pk, sk: pk } });

describe('the State table', () => {
  it.each(['backup', 'restore', 'validate', 'sample-health', 'masking-api', 'access-api', 'capture-changes'])(
    'takes no settings from %s, which connects to databases',
    async (name) => {
      const client = dynamodb(name);
      for (const pk of settings)
        await expect(client.send(put(state, pk))).rejects.toMatchObject(refused('dynamodb:PutItem'));
      const both = new TransactWriteCommand({
        TransactItems: ['JOB#1', 'SECURITY_SETTINGS'].map((pk) => ({ Put: put(state, pk).input })),
      });
      await expect(client.send(both)).rejects.toMatchObject(refused('dynamodb:PutItem'));
    },
  );

  it('takes settings from no function that may connect to a database, or from the one that they are named for', () => {
    const { callers } = readPermissions(synthesized.app.resources);
    const { arn: resource } = synthesized.one('AWS::DynamoDB::Table', 'State');
    const found = Object.entries(callers).flatMap(([name, { statements }]) => {
      const connects = statements.some(({ actions }) =>
        actions.some((action) => ['rds-db:connect', 'secretsmanager:GetSecretValue'].includes(action)),
      );
      const decide = compileStatements(statements);
      return [...settings, 'MASKING#shop']
        .filter((pk) =>
          ['Put', 'Update', 'Delete'].some(
            (verb) =>
              decide({ action: `dynamodb:${verb}Item`, resource, context: { 'dynamodb:LeadingKeys': [pk] } }) ===
              'allowed',
          ),
        )
        .map((pk) => `${connects ? 'connects: ' : ''}${name} ${pk}`);
    });
    expect(found.sort()).toEqual([
      // It holds the rules against the database before it keeps them.
      'connects: dbms-masking-api MASKING#shop',
      'dbms-alerts-api ALERT_SETTINGS#shop',
      'dbms-schedules-api SCHEDULES#shop',
      'dbms-settings-api COMPLIANCE_WAIVERS#shop',
      'dbms-settings-api SECURITY_SETTINGS',
      'dbms-settings-api SECURITY_SETTINGS#7',
      'dbms-settings-api TOKEN_REVOCATION#sub#eve',
      'dbms-watch-schedules SCHEDULES#shop',
    ]);
  });

  it('takes from each its own', async () => {
    await dynamodb('settings-api').send(put(state, 'SECURITY_SETTINGS'));
    await dynamodb('masking-api').send(put(state, 'MASKING#shop'));
    await dynamodb('backup').send(put(state, 'JOB#1'));
    await expect(dynamodb('authorizer').send(put(state, 'JOB#1'))).rejects.toMatchObject(refused('dynamodb:PutItem'));
  });

  it('gives what it holds only to those that may use the key under which it is', async () => {
    const { callers, ...rest } = readPermissions(synthesized.app.resources);
    const access = createAccess();
    const withoutKey = Object.entries(callers).map(([name, caller]) => [
      name,
      { ...caller, statements: caller.statements.filter(({ resources }) => !resources.includes(keys.data)) },
    ]);
    access.set({ ...rest, callers: Object.fromEntries(withoutKey) });
    await services.current.setPermissions(access.permissions());
    const read = new GetCommand({ TableName: state, Key: { pk: 'JOB#1', sk: 'JOB#1' } });
    await expect(dynamodb('backup').send(read)).rejects.toMatchObject(refused('kms:Decrypt'));
    await services.current.setPermissions({ ...rest, callers });
    expect((await dynamodb('backup').send(read)).Item).toBeDefined();
  });
});

describe('the audit table', () => {
  it('is written by readers in shards, and sealed, with the rights of their functions', async () => {
    const record = createAuditor({
      table: openTable(dynamodb('backups-api'), audit),
      settings: async () => ({ enable_audit: true, max_audit_retention_days: 90 }),
    });
    const who = { source: 'api', actor: 'alice', operation: 'read', target: null, address: null } as const;
    await record.observed({ ...who, database: 'shop', request_id: null }, async () => 1);
    const failures: unknown[] = [];
    const sealer = (now: Date) =>
      createSealer({
        databases: ['shop'],
        table: openTable(dynamodb('seal-audit'), audit),
        store: { s3: s3('seal-audit'), bucket: buckets.archive, keyArn: keys.data },
        signing: { kms: kms('seal-audit'), keyArn: synthesized.one('AWS::KMS::Key', 'AuditKey').arn },
        clock: () => now,
        onSealed: (chain, { sealed }) => seals.push(`${chain} ${sealed}`),
        onFailed: (_chain, error) => failures.push(error),
      });
    const seals: string[] = [];
    const { signal } = new AbortController();
    // What the store encrypts, it encrypts with the clients of the process.
    for (const [name, value] of Object.entries(services.current.environment())) vi.stubEnv(name, value);
    await sealer(new Date())(signal);
    await sealer(new Date(Date.now() + 86_400_000))(signal);
    vi.unstubAllEnvs();
    expect(failures).toEqual([]);
    expect(seals.sort()).toEqual(['databases/shop 1', 'databases/shop 2', 'system 1', 'system 2']);
  });

  it('takes records in transactions alone', async () => {
    const record = put(audit, 'CHAIN#shop');
    await expect(dynamodb('backup').send(record)).rejects.toMatchObject(refused('dynamodb:PutItem'));
    await dynamodb('backup').send(new TransactWriteCommand({ TransactItems: [{ Put: record.input }] }));
  });

  it('shows its writers the heads of its chains alone', async () => {
    const read = (pk: string) => dynamodb('backup').send(new GetCommand({ TableName: audit, Key: { pk, sk: 'HEAD' } }));
    await read('HEAD#shop');
    await expect(read('CHAIN#shop')).rejects.toMatchObject(refused('dynamodb:GetItem'));
    const query = new QueryCommand({
      TableName: audit,
      KeyConditionExpression: '#pk = :pk',
      ExpressionAttributeNames: { '#pk': 'pk' },
      ExpressionAttributeValues: { ':pk': 'CHAIN#shop' },
    });
    await expect(dynamodb('backup').send(query)).rejects.toMatchObject(refused('dynamodb:Query'));
    await dynamodb('audit-api').send(query);
  });

  it('shows samples, and no other range of the State table, to who reads samples', async () => {
    const query = (pk: string) =>
      dynamodb('health-api').send(
        new QueryCommand({
          TableName: state,
          KeyConditionExpression: 'pk = :pk',
          ExpressionAttributeValues: { ':pk': pk },
        }),
      );
    await query(`${samplePartitions[0]}shop`);
    await expect(query('JOB#1')).rejects.toMatchObject(refused('dynamodb:Query'));
  });
});

describe('KMS', () => {
  /** A data key as this system makes one under a key, for a kind of content. */
  const made = async (KeyId: string, EncryptionContext: Record<string, string>) => {
    const { CiphertextBlob } = await kms().send(
      new GenerateDataKeyCommand({ KeyId, KeySpec: 'AES_256', EncryptionContext }),
    );
    return new DecryptCommand({ CiphertextBlob, EncryptionContext });
  };
  const ofBackup = { database: 'shop', backup: 'bkp-1', path: 'a' };

  it('opens backups for those that read backups, and nothing else of their key', async () => {
    const backup = await made(keys.backup, ofBackup);
    for (const name of ['restore', 'validate', 'download', 'rebuild-catalog']) await kms(name).send(backup);
    for (const name of [
      'masking-api',
      'audit-api',
      'seal-audit',
      'compliance-api',
      'check-compliance',
      'sample-health',
    ])
      await expect(kms(name).send(backup)).rejects.toMatchObject(refused('kms:Decrypt'));
    const archive = await made(keys.backup, { audit: 'shop', path: 'a' });
    await expect(kms('restore').send(archive)).rejects.toMatchObject(refused('kms:Decrypt'));
    // Archived before the archive had a key of its own.
    await kms('audit-api').send(archive);
  });

  it('opens a stored masking key, and derives one, for those that mask', async () => {
    const stored = await made(keys.backup, { purpose: 'masking' });
    const derive = new GenerateMacCommand({
      KeyId: keys.masking,
      MacAlgorithm: 'HMAC_SHA_256',
      Message: Buffer.from('x'),
    });
    for (const name of ['backup', 'export-lane', 'restore', 'restore-server-api', 'masking-api']) {
      await kms(name).send(stored);
      await kms(name).send(derive);
    }
    for (const name of ['validate', 'download', 'downloads-api', 'capture-changes', 'audit-api']) {
      await expect(kms(name).send(stored)).rejects.toMatchObject(refused('kms:Decrypt'));
      await expect(kms(name).send(derive)).rejects.toMatchObject(refused('kms:GenerateMac'));
    }
  });

  it('derives by the one algorithm alone', async () => {
    const client = kms('backup');
    const derive = (MacAlgorithm: 'HMAC_SHA_256' | 'HMAC_SHA_512') =>
      client.send(new GenerateMacCommand({ KeyId: keys.masking, MacAlgorithm, Message: Buffer.from('x') }));
    await derive('HMAC_SHA_256');
    await expect(derive('HMAC_SHA_512')).rejects.toMatchObject(refused('kms:GenerateMac'));
  });

  it('opens the archive of the audit trail for its readers, under a key that opens no backup', async () => {
    const archive = await made(keys.data, { audit: 'shop', path: 'a' });
    for (const name of ['audit-api', 'compliance-api']) await kms(name).send(archive);
    for (const name of ['backup', 'restore', 'seal-audit', 'settings-api'])
      await expect(kms(name).send(archive)).rejects.toMatchObject(refused('kms:Decrypt'));
    const make = new GenerateDataKeyCommand({
      KeyId: keys.backup,
      KeySpec: 'AES_256',
      EncryptionContext: { audit: 'shop' },
    });
    await expect(kms('seal-audit').send(make)).rejects.toMatchObject(refused('kms:GenerateDataKey'));
  });

  it('lets nobody use the key of the tables without going through DynamoDB', async () => {
    const any = await made(keys.data, { 'aws:dynamodb:tableName': state });
    for (const name of ['backup', 'settings-api', 'audit-api'])
      await expect(kms(name).send(any)).rejects.toMatchObject(refused('kms:Decrypt'));
  });
});

describe('S3', () => {
  it('lists the paths that a function works with', async () => {
    const list = (name: string, Bucket: string, Prefix?: string) =>
      s3(name).send(new ListObjectsV2Command({ Bucket, Prefix }));
    await list('expire-backups', buckets.backups, 'databases/');
    await expect(list('backup', buckets.backups, 'elsewhere/')).rejects.toMatchObject(refused('s3:ListBucket'));
    await expect(list('seal-audit', buckets.archive, 'elsewhere/')).rejects.toMatchObject(refused('s3:ListBucket'));
    await expect(list('backup', buckets.downloads)).rejects.toMatchObject(refused('s3:ListBucket'));
  });

  it('encrypts and decrypts with a key for those alone that may use it for that bucket', async () => {
    const object = { Bucket: buckets.backups, Key: 'databases/shop/backups/1/a' };
    const encryption = { ServerSideEncryption: 'aws:kms', SSEKMSKeyId: keys.backup } as const;
    await s3('backup').send(new PutObjectCommand({ ...object, ...encryption, Body: 'x' }));
    await s3('restore').send(new GetObjectCommand(object));
    // It may ask for the object, to learn how far its copy is, and cannot open it: there is no copy in the example.
    await expect(s3('audit-api').send(new GetObjectCommand(object))).rejects.toMatchObject(refused('s3:GetObject'));
    const other = new PutObjectCommand({
      ...object,
      Body: 'x',
      ServerSideEncryption: 'aws:kms',
      SSEKMSKeyId: keys.data,
    });
    await expect(s3('backup').send(other)).rejects.toMatchObject({ name: 'AccessDenied' });
    const archived = { Bucket: buckets.archive, Key: 'audit/shop/a' };
    const underBackups = new PutObjectCommand({ ...archived, ...encryption, Body: 'x' });
    await expect(s3('seal-audit').send(underBackups)).rejects.toMatchObject({ name: 'AccessDenied' });
    await s3('seal-audit').send(
      new PutObjectCommand({ ...archived, Body: 'x', ServerSideEncryption: 'aws:kms', SSEKMSKeyId: keys.data }),
    );
    for (const name of ['audit-api', 'seal-audit']) await s3(name).send(new GetObjectCommand(archived));
    await expect(s3().send(new DeleteObjectCommand(archived))).rejects.toMatchObject({ name: 'AccessDenied' });
  });
});

describe('other services', () => {
  it('hold to the namespace, the sender and the role that the conditions name', async () => {
    const metrics = (Namespace: string) =>
      new CloudWatchClient(as('cloudwatch', 'sample-health')).send(
        new PutMetricDataCommand({ Namespace, MetricData: [{ MetricName: 'm', Value: 1 }] }),
      );
    await expect(metrics('AWS/Lambda')).rejects.toMatchObject(refused('cloudwatch:PutMetricData'));
    const mail = (Source: string) =>
      new SESClient(as('ses', 'check-compliance')).send(
        new SendEmailCommand({
          Source,
          Destination: { ToAddresses: ['dba@example.com'] },
          Message: { Subject: { Data: 's' }, Body: { Text: { Data: 't' } } },
        }),
      );
    await mail('dba@example.com');
    await expect(mail('ceo@example.com')).rejects.toMatchObject(refused('ses:SendEmail'));
    const schedule = (RoleArn: string) =>
      new SchedulerClient(as('scheduler', 'schedules-api')).send(
        new CreateScheduleCommand({
          Name: `s-${RoleArn.length}`,
          GroupName: 'dbms-backups',
          ScheduleExpression: 'rate(1 day)',
          FlexibleTimeWindow: { Mode: 'OFF' },
          Target: { Arn: 'arn:aws:lambda:us-east-1:000000000000:function:dbms-backup:live', RoleArn },
        }),
      );
    await schedule(synthesized.one('AWS::IAM::Role', 'SchedulesRole').arn);
    const role = synthesized.ofType('AWS::IAM::Role').find(({ logicalId }) => logicalId.startsWith('Restore'));
    await expect(schedule(role?.arn ?? '')).rejects.toMatchObject(refused('iam:PassRole'));
  });

  it('start no function that a caller may not start', async () => {
    const lambda = createLambdaService({ stateFolder: '/tmp', functions: [], awsEnvironment: () => ({}) });
    const server = await serveLambda(lambda, { access: services.current.access });
    const invoke = (name: string, FunctionName: string) =>
      new LambdaClient({ ...as('s3', name), endpoint: server.url }).send(new InvokeCommand({ FunctionName }));
    await expect(invoke('downloads-api', 'dbms-restore:live')).rejects.toMatchObject(refused('lambda:InvokeFunction'));
    await expect(invoke('restore-api', 'dbms-restore:live')).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
    });
    await server.close();
    await lambda.close();
  });
});

describe('every condition of a policy of a function', () => {
  /** Where an attempt of this file, sent to an endpoint of the local run, is refused for it. */
  const attempts: Readonly<Record<string, string>> = {
    'dynamodb:LeadingKeys': 'takes no settings from %s, which connects to databases',
    'dynamodb:EnclosingOperation': 'takes records in transactions alone',
    'kms:ViaService': 'lets nobody use the key of the tables without going through DynamoDB',
    'kms:EncryptionContext:database': 'opens backups for those that read backups, and nothing else of their key',
    'kms:EncryptionContext:audit':
      'opens the archive of the audit trail for its readers, under a key that opens no backup',
    'kms:EncryptionContext:purpose': 'opens a stored masking key, and derives one, for those that mask',
    'kms:EncryptionContext:aws:s3:arn':
      'encrypts and decrypts with a key for those alone that may use it for that bucket',
    'kms:MacAlgorithm': 'derives by the one algorithm alone',
    's3:prefix': 'lists the paths that a function works with',
    'ses:FromAddress': 'hold to the namespace, the sender and the role that the conditions name',
    'cloudwatch:namespace': 'hold to the namespace, the sender and the role that the conditions name',
    'iam:PassedToService': 'hold to the namespace, the sender and the role that the conditions name',
  };

  it('has an attempt in this file', () => {
    const { callers } = readPermissions(synthesized.app.resources);
    const keys = Object.values(callers).flatMap(({ statements }) =>
      statements.flatMap(({ conditions }) => Object.values(conditions).flatMap((operands) => Object.keys(operands))),
    );
    expect([...new Set(keys)].sort()).toEqual(Object.keys(attempts).sort());
    const here = readFileSync(join(import.meta.dirname, 'refused-attempts.test.ts'), 'utf8');
    for (const name of Object.values(attempts)) expect(here).toContain(`${name}'`);
  });

  it('refuses what breaks it, and it alone', () => {
    const { callers } = readPermissions(synthesized.app.resources);
    const broken: string[] = [];
    let tried = 0;
    for (const [name, { statements }] of Object.entries(callers))
      for (const statement of statements.filter(
        ({ effect, conditions }) => effect === 'Allow' && Object.keys(conditions).length > 0,
      )) {
        const conditions = Object.entries(statement.conditions).flatMap(([operator, operands]) =>
          Object.entries(operands).map(([key, values]) => ({ operator, key, values: [values].flat().map(String) })),
        );
        const whole = fulfilling(conditions);
        const alone = compileStatements([statement]);
        for (const action of statement.actions)
          for (const pattern of statement.resources) {
            const request = { action, resource: pattern.replaceAll('*', 'x') };
            if (alone({ ...request, context: whole }) !== 'allowed') broken.push(`${name} ${action}: not even so`);
            for (const condition of conditions)
              for (const context of breaking(condition, whole)) {
                tried += 1;
                if (alone({ ...request, context }) === 'allowed')
                  broken.push(`${name} ${action} ${condition.operator} ${condition.key} ${JSON.stringify(context)}`);
              }
          }
      }
    expect(broken).toEqual([]);
    expect(tried).toBeGreaterThan(500);
  });
});

interface Condition {
  operator: string;
  key: string;
  values: readonly string[];
}
const sample = (pattern: string): string => pattern.replaceAll('*', 'x');

/** What fulfils conditions all together. */
function fulfilling(conditions: readonly Condition[]): Record<string, string | string[]> {
  const context: Record<string, string | string[]> = {};
  for (const { operator, key, values } of conditions) {
    if (operator === 'Null' || /Not(?:Like|Equals)/.test(operator)) context[key] ??= ['OTHER#x'];
    else context[key] = [sample(values[0] ?? '')];
  }
  return context;
}

/** What breaks one of them while the others hold. */
function breaking({ operator, key, values }: Condition, whole: Record<string, string | string[]>) {
  // All of the bucket of downloads, which holds nothing else: this one says so and keeps nothing out.
  if (values.includes('*')) return [];
  const { [key]: own, ...without } = whole;
  if (operator === 'Null') return [without];
  if (/Not(?:Like|Equals)/.test(operator))
    return values.flatMap((value) => [
      { ...without, [key]: [sample(value)] },
      { ...without, [key]: [own ?? 'OTHER#x', sample(value)].flat() },
    ]);
  const others = [{ ...without, [key]: ['something else'] }];
  if (operator.startsWith('ForAllValues:')) others.push({ ...without, [key]: [own ?? '', 'something else'].flat() });
  return /IfExists$|^ForAllValues:/.test(operator) ? others : [...others, without];
}
