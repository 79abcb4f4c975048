import { readdirSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import example from '../../infra/config/example.ts';
import { everything } from './support/everything.ts';
import { plain } from './support/plain.ts';
import { type Synthesized, synthesize } from './support/synthesize.ts';

let full: Synthesized;
let bare: Synthesized;
beforeAll(async () => {
  full = await synthesize(example);
  bare = await synthesize(plain);
});

describe('the functions', () => {
  const names = readdirSync(new URL('../../functions', import.meta.url), { withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map(({ name }) => name.slice(0, -'.ts'.length));
  const inVpcDurable = ['dbms-backup', 'dbms-restore', 'dbms-validate'];
  const durableOnes = [...inVpcDurable, 'dbms-rebuild-catalog', 'dbms-download'];
  /** What a backup of many invocations invokes. */
  const exporting = ['dbms-export-lane', 'dbms-snapshot-holder'];
  const inVpcApis = [
    'dbms-restore-server-api',
    'dbms-recovery-api',
    'dbms-health-api',
    'dbms-doctor-api',
    'dbms-masking-api',
    'dbms-compliance-api',
    'dbms-access-api',
  ];
  const checks = ['dbms-note-logins', 'dbms-check-compliance', 'dbms-rotate-password'];
  const monitoring = ['dbms-sample-health', 'dbms-examine-databases'];
  const inVpc = [...exporting, ...inVpcDurable, 'dbms-capture-changes', ...checks, ...inVpcApis, ...monitoring];

  it('are those of functions/, each once, where the configuration asks for all', async () => {
    const deployed = (await synthesize(everything)).ofType('AWS::Lambda::Function').map(({ name }) => name);
    // Buckets are emptied in either region, by a function of that name in each.
    const twice = deployed.filter((name, index) => deployed.indexOf(name) !== index);
    expect(twice).toEqual(['dbms-empty-bucket']);
    expect([...new Set(deployed)].sort()).toEqual(names.map((name) => `dbms-${name}`).sort());
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
          LoggingConfig: { LogFormat: 'JSON' },
        });
        const { LogGroup } = properties.LoggingConfig as { LogGroup: string };
        expect(logs.get(LogGroup)?.RetentionInDays, name).toBe(days);
        used.add(LogGroup);
      }
      expect(used.size).toBe(synthesized.ofType('AWS::Lambda::Function').length);
      for (const { RetentionInDays } of logs.values()) expect(RetentionInDays).toBe(days);
    }
    for (const { properties } of full.ofType('AWS::Lambda::LayerVersion')) {
      expect(properties).toMatchObject({ CompatibleRuntimes: ['nodejs24.x'], CompatibleArchitectures: ['arm64'] });
    }
  });

  it('are traced, but for those that a timer starts often', () => {
    const untraced = full
      .ofType('AWS::Lambda::Function')
      .filter(({ properties }) => (properties.TracingConfig as { Mode?: string } | undefined)?.Mode !== 'Active');
    expect(untraced.map(({ name }) => name).sort()).toEqual(
      ['capture-changes', 'note-logins', 'sample-health', 'seal-audit', 'watch-schedules'].map(
        (name) => `dbms-${name}`,
      ),
    );
  });

  it('stay below the time that API Gateway waits, or have all that Lambda gives', () => {
    const timeouts = Object.fromEntries(
      full.ofType('AWS::Lambda::Function').map(({ name, properties }) => [name, properties.Timeout]),
    );
    for (const name of [...inVpcDurable, ...exporting]) expect(timeouts[name], name).toBe(900);
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
          expect.stringMatching(
            /^(Backup|Restore|Validate|SampleHealth|Capture\w+|Compliance\w+|Passwords\w+|Doctor\w+|restoreserverapi|recoveryapi|healthapi|doctorapi|complianceapi|accessapi|maskingapi|Export\w+)RoleDefaultPolicy/,
          ),
        );
      }
    }
  });

  it('that are durable have a time limit, an alias to be invoked by, and dead letters in place of retries', () => {
    const queue = full.one('AWS::SQS::Queue', 'DeadLetters');
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

  it('keep their versions over deployments, and invoke the workers that were deployed with them', () => {
    const versions = full.written('AWS::Lambda::Version');
    const published = full.app.functions.filter(({ qualifiers }) => qualifiers.has('1')).map(({ name }) => name);
    expect(published.sort()).toEqual([...durableOnes, ...exporting].sort());
    expect(versions).toHaveLength(published.length);
    for (const version of versions)
      expect(version).toMatchObject({ DeletionPolicy: 'RetainExceptOnCreate', UpdateReplacePolicy: 'Retain' });
    const backup = full.app.functions.find(({ name }) => name === 'dbms-backup');
    expect(backup?.environment).toMatchObject({
      EXPORT_LANE_FUNCTION_ARN: expect.stringMatching(/:function:dbms-export-lane:1$/),
      SNAPSHOT_HOLDER_FUNCTION_ARN: expect.stringMatching(/:function:dbms-snapshot-holder:1$/),
    });
    // Whatever is retained is pruned one day, and nothing else.
    const prune = full.app.functions.find(({ name }) => name === 'dbms-prune-versions');
    expect(prune?.environment.VERSIONED_FUNCTIONS?.split(',').sort()).toEqual(published);
    const rules = full.app.rules.filter(({ targets }) => targets.some(({ arn }) => arn === prune?.arn));
    expect(rules.map(({ scheduleExpression }) => scheduleExpression)).toEqual(['rate(1 day)']);
  });

  it('capture changes each minute, without a second try, and leave what was not started as dead letters', () => {
    const capture = full.app.functions.find(({ name }) => name === 'dbms-capture-changes');
    const rules = full.app.rules.filter(({ targets }) => targets.some(({ arn }) => arn === capture?.arn));
    expect(rules.map(({ scheduleExpression, targets }) => [scheduleExpression, targets[0]?.deadLetterArn])).toEqual([
      ['rate(1 minute)', full.one('AWS::SQS::Queue', 'DeadLetters').arn],
    ]);
    expect([...(capture?.asyncConfigs.values() ?? [])]).toMatchObject([{ maximumRetries: 0 }]);
  });

  it('examine the databases each day and after each deployment', () => {
    const examine = full.app.functions.find(({ name }) => name === 'dbms-examine-databases');
    const rules = full.app.rules.filter(({ targets }) => targets.some(({ arn }) => arn === examine?.arn));
    expect(rules.map(({ scheduleExpression, eventPattern }) => scheduleExpression ?? eventPattern?.source)).toEqual([
      'rate(1 day)',
      ['aws.cloudformation'],
    ]);
  });

  it('hear what the log groups that are configured tell of logins and statements', () => {
    const ingest = full.app.functions.find(({ name }) => name === 'dbms-ingest-database-log');
    const heard = (of: Synthesized) =>
      of
        .ofType('AWS::Logs::SubscriptionFilter')
        .map(({ properties }) => properties)
        .filter(({ DestinationArn }) => String(DestinationArn).endsWith('-ingest-database-log'));
    expect(heard(full)).toMatchObject([
      { LogGroupName: '/aws/rds/instance/shop/postgresql', DestinationArn: ingest?.arn },
    ]);
    expect(heard(bare)).toHaveLength(1);
  });

  it('seal the audit trail every few minutes', () => {
    const seal = full.app.functions.find(({ name }) => name === 'dbms-seal-audit');
    const rules = full.app.rules.filter(({ targets }) => targets.some(({ arn }) => arn === seal?.arn));
    expect(rules.map(({ scheduleExpression, targets }) => [scheduleExpression, targets[0]?.deadLetterArn])).toEqual([
      ['rate(5 minutes)', full.one('AWS::SQS::Queue', 'DeadLetters').arn],
    ]);
    expect(full.one('AWS::KMS::Key', 'AuditKey').properties).toMatchObject({
      KeySpec: 'ECC_NIST_P256',
      KeyUsage: 'SIGN_VERIFY',
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
          { prefix: arn('dbms-download') },
          { prefix: arn('dbms-validate') },
        ],
      },
    });
    expect(rule?.targets).toEqual([
      { arn: arn('dbms-execution-ended'), input: null, deadLetterArn: full.one('AWS::SQS::Queue', 'DeadLetters').arn },
    ]);
  });
});

describe('the schedules', () => {
  it('are no resources, but made in a group of their own at run time, so that no deployment undoes a change', () => {
    const names = (synthesized: Synthesized) => synthesized.ofType('AWS::Scheduler::Schedule').map(({ name }) => name);
    expect([names(full), names(bare)]).toEqual([
      ['dbms-expire-backups', 'dbms-check-compliance', 'dbms-backup-ages', 'dbms-drill-shop', 'dbms-drill-ledger'],
      ['plain-check-compliance'],
    ]);
    expect(full.ofType('AWS::Scheduler::ScheduleGroup').map(({ name }) => name)).toEqual(['dbms-backups']);
  });

  it.each(['dbms-watch-schedules', 'dbms-schedules-api'])('are made by %s to start the backup function', (name) => {
    const environments = full
      .ofType('AWS::Lambda::Function')
      .filter((each) => each.name === name)
      .map(({ properties }) => properties.Environment as { Variables: object });
    expect(environments[0]?.Variables).toMatchObject({
      SCHEDULE_GROUP: 'dbms-backups',
      BACKUP_FUNCTION_ARN: `${full.app.functions.find((each) => each.name === 'dbms-backup')?.arn}:live`,
      SCHEDULE_ROLE_ARN: full.one('AWS::IAM::Role', 'SchedulesRole').arn,
      DEAD_LETTER_QUEUE_ARN: full.one('AWS::SQS::Queue', 'DeadLetters').arn,
    });
  });

  it('are looked at after each deployment and every 15 minutes, which an alarm hears of', () => {
    const watch = full.app.functions.find(({ name }) => name === 'dbms-watch-schedules');
    const rules = full.app.rules.filter(({ targets }) => targets.some(({ arn }) => arn === watch?.arn));
    const stack = full.assembly.stacks.find(({ name }) => name === 'dbms-backups');
    expect(rules.map(({ scheduleExpression, eventPattern }) => scheduleExpression ?? eventPattern)).toEqual([
      {
        source: ['aws.cloudformation'],
        'detail-type': ['CloudFormation Stack Status Change'],
        detail: {
          'stack-id': [expect.stringContaining(`:stack/${stack?.name}/`)],
          'status-details': { status: ['CREATE_COMPLETE', 'UPDATE_COMPLETE', 'UPDATE_ROLLBACK_COMPLETE'] },
        },
      },
      'rate(15 minutes)',
    ]);
    expect([...(watch?.asyncConfigs.values() ?? [])]).toMatchObject([
      { onFailure: full.one('AWS::SQS::Queue', 'DeadLetters').arn },
    ]);
    expect(full.one('AWS::CloudWatch::Alarm', 'SchedulesMissed').properties).toMatchObject({
      MetricName: 'MissedBackupRuns',
      Dimensions: [{ Name: 'ScheduleGroup', Value: 'dbms-backups' }],
      Threshold: 1,
      TreatMissingData: 'breaching',
    });
  });
});
