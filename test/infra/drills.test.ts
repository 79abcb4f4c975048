import { beforeAll, describe, expect, it } from 'vitest';
import example from '../../infra/config/example.ts';
import { ConfigurationError, checkDeployment } from '../../infra/config/load.ts';
import { statementsOf } from '../../local/template/statements.ts';
import { DATABASE_DIMENSION, metricNamespace, publishedName } from '../../shared/health/metrics.ts';
import { validationEventSchema } from '../../shared/jobs/events.ts';
import { type Synthesized, synthesize } from './support/synthesize.ts';

let withDrills: Synthesized;
let without: Synthesized;
beforeAll(async () => {
  withDrills = await synthesize({
    ...example,
    drills: { server: 'ledger', schedule: '15 3 * * 1-5', alarm_after_days: 3 },
  });
  without = await synthesize({ ...example, drills: {} });
});

const schedulesOf = ({ ofType }: Synthesized, part: string) =>
  ofType('AWS::Scheduler::Schedule').filter(({ name }) => name.includes(part));
const alarmsOf = ({ ofType }: Synthesized) =>
  ofType('AWS::CloudWatch::Alarm').filter(({ logicalId }) => logicalId.startsWith('Ages'));

describe('drills', () => {
  it('are started for each database, at the time and in the time zone of the configuration', () => {
    const schedules = schedulesOf(withDrills, '-drill-');
    expect(schedules.map(({ name }) => name)).toEqual(['dbms-drill-shop', 'dbms-drill-ledger']);
    for (const [index, { properties }] of schedules.entries()) {
      expect(properties).toMatchObject({
        State: 'ENABLED',
        ScheduleExpression: 'cron(15 3 ? * MON,TUE,WED,THU,FRI *)',
        ScheduleExpressionTimezone: 'Europe/Berlin',
        Target: {
          Arn: `${withDrills.app.functions.find(({ name }) => name === 'dbms-validate')?.arn}:live`,
          RoleArn: withDrills.one('AWS::IAM::Role', 'DrillsRole').arn,
          DeadLetterConfig: { Arn: withDrills.one('AWS::SQS::Queue', 'DeadLetters').arn },
        },
      });
      const input = JSON.parse((properties.Target as { Input: string }).Input);
      expect(input).toEqual({ database: ['shop', 'ledger'][index], level: 'restore' });
      expect(validationEventSchema.parse(input)).toEqual({ ...input, requested_by: 'schedule' });
    }
  });

  it('are weekly, on Sunday at five, where the configuration names only the server; and none for null', async () => {
    const drills = (given: object) =>
      checkDeployment({ ...example, drills: { server: 'shop', ...given } }, 'it').drills;
    expect(drills({})).toEqual({ server: 'shop', schedule: '0 5 * * 0', alarm_after_days: 14 });
    const asked = await synthesize({ ...example, drills: { server: 'shop', schedule: null } });
    expect([schedulesOf(asked, '-drill-'), alarmsOf(asked).length]).toEqual([[], 2]);
  });

  it('are on the server of a configured database', () => {
    const check = () => checkDeployment({ ...example, drills: { server: 'elsewhere' } }, 'it');
    expect(check).toThrow(ConfigurationError);
    expect(check).toThrow('drills.server: is none of the databases; use one of: shop, ledger');
  });

  it('log in to that server alone', () => {
    const rights = (synthesized: Synthesized) =>
      statementsOf(synthesized.app.resources)
        .filter(({ roles }) => roles.includes('dbms-validate'))
        .flatMap(({ actions }) => actions)
        .filter((action) => /^(rds-db|secretsmanager):/.test(action));
    expect(rights(withDrills)).toEqual(['rds-db:connect']);
    expect(rights(without)).toEqual([]);
  });

  it('are neither scheduled nor alarmed about without a server', () => {
    expect([schedulesOf(without, '-drill-'), alarmsOf(without)]).toEqual([[], []]);
  });
});

describe('the age of the newest proven backup', () => {
  it('raises an alarm for each database when it is too high, or when there is none', () => {
    const alarms = alarmsOf(withDrills);
    expect(alarms.map(({ properties }) => properties.Dimensions)).toEqual(
      ['shop', 'ledger'].map((Value) => [{ Name: DATABASE_DIMENSION, Value }]),
    );
    for (const { properties } of alarms) {
      expect(properties).toMatchObject({
        Namespace: metricNamespace('dbms'),
        MetricName: publishedName('proven_backup_age_seconds'),
        Statistic: 'Maximum',
        Period: 3600,
        EvaluationPeriods: 3,
        Threshold: 3 * 86_400,
        ComparisonOperator: 'GreaterThanThreshold',
        TreatMissingData: 'breaching',
      });
    }
  });

  it('is published every hour with drills, and not without', () => {
    const [schedule, ...more] = schedulesOf(withDrills, 'backup-ages');
    expect(more).toEqual([]);
    expect(schedule?.properties).toMatchObject({
      ScheduleExpression: 'rate(1 hour)',
      Target: { Arn: withDrills.app.functions.find(({ name }) => name === 'dbms-backup-ages')?.arn },
    });
    expect(schedulesOf(without, 'backup-ages')).toEqual([]);
  });

  it.each([
    ['with drills', () => withDrills],
    ['without', () => without],
  ])('goes into a namespace of the deployment alone, %s', (_name, of) => {
    const publishing = statementsOf(of().app.resources).filter(({ actions }) =>
      actions.includes('cloudwatch:PutMetricData'),
    );
    expect(publishing.flatMap(({ roles }) => roles).sort()).toEqual([
      'dbms-backup-ages',
      'dbms-validate',
      'dbms-watch-schedules',
    ]);
    for (const { conditions } of publishing.filter(({ roles }) => !roles.includes('dbms-watch-schedules'))) {
      expect(conditions).toEqual({ StringEquals: { 'cloudwatch:namespace': metricNamespace('dbms') } });
    }
  });
});
