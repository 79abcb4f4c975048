import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import example from '../../infra/config/example.ts';
import { backupEventSchema } from '../../shared/jobs/events.ts';
import { plain } from './support/plain.ts';
import { type Synthesized, synthesize } from './support/synthesize.ts';

let full: Synthesized;
let bare: Synthesized;
beforeAll(() => {
  full = synthesize(example);
  bare = synthesize(plain);
});
afterAll(() => {
  full?.remove();
  bare?.remove();
});

describe('the functions', () => {
  const names = readdirSync(new URL('../../functions', import.meta.url), { withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map(({ name }) => name.slice(0, -'.ts'.length));
  const inVpcDurable = ['dbms-backup', 'dbms-restore'];
  const durableOnes = [...inVpcDurable, 'dbms-rebuild-catalog'];
  const inVpc = [...inVpcDurable, 'dbms-restore-server-api', 'dbms-health-api', 'dbms-sample-health'];

  it('are those of functions/, each once', () => {
    const deployed = full.ofType('AWS::Lambda::Function').map(({ name }) => name);
    expect(deployed.sort()).toEqual(names.map((name) => `dbms-${name}`).sort());
  });

  it('run on Node.js 24 and arm64, with a log that forgets', () => {
    for (const [synthesized, days] of [
      [full, 90],
      [bare, 7],
    ] as const) {
      const logs = new Map(synthesized.ofType('AWS::Logs::LogGroup').map(({ name, properties }) => [name, properties]));
      const used = new Set<string>();
      for (const { name, properties } of synthesized.ofType('AWS::Lambda::Function')) {
        expect(properties, name).toMatchObject({
          Runtime: 'nodejs24.x',
          Architectures: ['arm64'],
          Handler: 'index.handler',
          TracingConfig: { Mode: 'Active' },
          LoggingConfig: { LogFormat: 'JSON' },
        });
        const { LogGroup } = properties.LoggingConfig as { LogGroup: string };
        expect(logs.get(LogGroup)?.RetentionInDays, name).toBe(days);
        used.add(LogGroup);
      }
      expect(used.size).toBe(names.length);
      for (const { RetentionInDays } of logs.values()) expect(RetentionInDays).toBe(days);
    }
    for (const { properties } of full.ofType('AWS::Lambda::LayerVersion')) {
      expect(properties).toMatchObject({ CompatibleRuntimes: ['nodejs24.x'], CompatibleArchitectures: ['arm64'] });
    }
  });

  it('stay below the time that API Gateway waits, or have all that Lambda gives', () => {
    const timeouts = Object.fromEntries(
      full.ofType('AWS::Lambda::Function').map(({ name, properties }) => [name, properties.Timeout]),
    );
    expect(timeouts).toMatchObject({ 'dbms-backup': 900, 'dbms-restore': 900 });
    for (const name of names.filter((each) => each.endsWith('-api') || each === 'authorizer')) {
      expect(timeouts[`dbms-${name}`]).toBeLessThan(29);
    }
  });

  it('are in the VPC where they reach databases, and only there', () => {
    const networks = full
      .ofType('AWS::Lambda::Function')
      .filter(({ properties }) => properties.VpcConfig !== undefined)
      .map(({ name, properties }) => [name, properties.VpcConfig]);
    const vpc = {
      SubnetIds: ['subnet-0aaaaaaaaaaaaaaa1', 'subnet-0bbbbbbbbbbbbbbb2'],
      SecurityGroupIds: ['sg-0123456789abcdef0'],
    };
    expect(networks).toEqual(inVpc.map((name) => [name, vpc]));
    expect(bare.ofType('AWS::Lambda::Function').filter(({ properties }) => properties.VpcConfig)).toEqual([]);
    expect(JSON.stringify(bare.app.resources)).not.toContain('ec2:');
    // Without its rights, a function in a VPC is refused: its policy comes first.
    for (const { DependsOn, Properties } of full.written('AWS::Lambda::Function')) {
      if (Properties?.VpcConfig !== undefined) {
        expect(DependsOn).toContainEqual(
          expect.stringMatching(/^(Backup|Restore|SampleHealth|restoreserverapi|healthapi)RoleDefaultPolicy/),
        );
      }
    }
  });

  it('that are durable have a time limit, an alias to be invoked by, and dead letters in place of retries', () => {
    const queue = full.one('AWS::SQS::Queue');
    for (const { name, durable, qualifiers, asyncConfigs } of full.app.functions) {
      const isDurable = durableOnes.includes(name);
      expect(durable, name).toEqual(isDurable ? { executionTimeoutSeconds: 24 * 3600, retentionDays: 14 } : null);
      expect(qualifiers.has('live'), name).toBe(isDurable);
      expect(asyncConfigs.get('live'), name).toEqual(
        isDurable ? { maximumRetries: 0, maximumAgeSeconds: 6 * 3600, onFailure: queue.arn } : undefined,
      );
    }
    const limits = bare.app.functions.flatMap(({ durable }) => durable?.executionTimeoutSeconds ?? []);
    expect(limits).toEqual(durableOnes.map(() => 7200));
    expect(queue.properties).toMatchObject({ SqsManagedSseEnabled: true, MessageRetentionPeriod: 14 * 86_400 });
    expect(full.one('AWS::CloudWatch::Alarm', 'DeadLetters').properties).toMatchObject({
      MetricName: 'ApproximateNumberOfMessagesVisible',
      Dimensions: [{ Name: 'QueueName', Value: queue.name }],
      Threshold: 1,
      ComparisonOperator: 'GreaterThanOrEqualToThreshold',
    });
  });

  it('hear of executions that ended badly', () => {
    const arn = (name: string) => full.app.functions.find((each) => each.name === name)?.arn;
    const rule = full.app.rules.find(({ eventPattern }) => JSON.stringify(eventPattern).includes('aws.lambda'));
    expect(rule?.eventPattern).toEqual({
      source: ['aws.lambda'],
      'detail-type': ['Durable Execution Status Change'],
      detail: {
        status: ['FAILED', 'TIMED_OUT', 'STOPPED'],
        functionArn: [
          { prefix: arn('dbms-backup') },
          { prefix: arn('dbms-restore') },
          { prefix: arn('dbms-rebuild-catalog') },
        ],
      },
    });
    expect(rule?.targets).toEqual([
      { arn: arn('dbms-execution-ended'), input: null, deadLetterArn: full.one('AWS::SQS::Queue').arn },
    ]);
  });
});

describe('the schedules', () => {
  it.each([
    ['full', 'cron(0 2 ? * SUN *)'],
    ['schema', 'cron(0 1 ? * MON *)'],
  ])(
    'start a %s backup of each database, at the time and in the time zone of the configuration',
    (type, expression) => {
      const schedules = full.ofType('AWS::Scheduler::Schedule').filter(({ name }) => name.includes(type));
      expect(schedules.map(({ name }) => name)).toEqual([`dbms-${type}-shop`, `dbms-${type}-ledger`]);
      for (const [index, { properties }] of schedules.entries()) {
        expect(properties).toMatchObject({
          State: 'ENABLED',
          ScheduleExpression: expression,
          ScheduleExpressionTimezone: 'Europe/Berlin',
          FlexibleTimeWindow: { Mode: 'OFF' },
          Target: {
            Arn: `${full.app.functions.find(({ name }) => name === 'dbms-backup')?.arn}:live`,
            RoleArn: full.one('AWS::IAM::Role', 'Schedules').arn,
            DeadLetterConfig: { Arn: full.one('AWS::SQS::Queue').arn },
            RetryPolicy: { MaximumRetryAttempts: 10, MaximumEventAgeInSeconds: 6 * 3600 },
          },
        });
        const input = JSON.parse((properties.Target as { Input: string }).Input);
        expect(input).toEqual({ database: ['shop', 'ledger'][index], backup_type: type });
        expect(backupEventSchema.parse(input)).toMatchObject({ requested_by: 'schedule', custom_name: null });
      }
    },
  );

  it('are none for null', () => {
    expect(bare.ofType('AWS::Scheduler::Schedule')).toEqual([]);
  });

  it('have names that EventBridge takes, however long prefix and id are allowed to be', () => {
    const [database] = example.databases;
    if (database === undefined) throw new Error('The example has no database');
    const longest = synthesize({ prefix: 'p'.repeat(20), databases: [{ ...database, id: 'd'.repeat(31) }] });
    const names = longest.ofType('AWS::Scheduler::Schedule').map(({ name }) => name);
    longest.remove();
    expect(names).toHaveLength(3);
    // The longest type of backup is `incremental`.
    expect((names[0] ?? '').replace('full', 'incremental').length).toBeLessThanOrEqual(64);
  });
});
