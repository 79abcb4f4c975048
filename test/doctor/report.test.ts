import { describe, expect, test } from 'vitest';
import { describeReport, isBroken } from '../../commands/doctor/describe.ts';
import { uncertainEndpoint } from '../../shared/aws/rds-endpoint.ts';
import type { DoctorReport } from '../../shared/contract/schemas/doctor.ts';
import type { Context } from '../../shared/doctor/check.ts';
import { runChecks } from '../../shared/doctor/examine.ts';
import { type Readings, sectionNames } from '../../shared/doctor/facts/facts.ts';
import { features } from '../../shared/doctor/features.ts';
import { quoteForPaste, quoteForReading } from '../../shared/doctor/quote-for-paste.ts';
import { checks } from '../../shared/doctor/registry.ts';
import { doctorHealth } from '../../shared/health/doctor-health.ts';
import { platformOf } from '../../shared/platforms/platforms.ts';
import { configuredDatabase, dependenciesFor } from './support/examined.ts';

const database = configuredDatabase('rds', 'shop');
const context = {
  database,
  platform: platformOf(database),
  server: null,
  configuration: dependenciesFor({} as never).configuration,
  pooler: null,
  now: 0,
};

const report = (changes: Partial<DoctorReport> = {}): DoctorReport => ({
  database: 'shop',
  at: new Date(0).toISOString(),
  status: 'works',
  platform: 'Amazon RDS',
  server_version: '18.1',
  login: 'dbms',
  features: features.map((feature) => ({ feature, title: feature, status: 'works', in_use: true, findings: [] })),
  findings: [],
  unread: [],
  ...changes,
});

test('checks have ids of their own, and say what they need', () => {
  const ids = checks.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
  for (const { id, needs } of checks) expect(needs, id).not.toBe('');
});

test('what could not be read is unknown, for every feature that depends on it', () => {
  const readings = Object.fromEntries(sectionNames.map((name) => [name, { why: 'no time' }])) as unknown as Readings;
  const { findings, unread } = runChecks({ readings }, context);
  expect(findings).toEqual([]);
  const reading = checks.filter(({ reads }) => reads.length > 0);
  expect(unread.map(({ check }) => check.id)).toEqual(reading.map(({ id }) => id));
  expect(new Set(unread.map(({ reason }) => reason))).toEqual(new Set(['no time']));
});

describe('names that the server tells', () => {
  const nasty = 'a"b\n\\! rm -rf\u001b[2J\u202e';

  test('are quoted so that they can be pasted into a terminal', () => {
    expect(quoteForPaste('plain "name"')).toBe('"plain ""name"""');
    expect(quoteForPaste(nasty)).toBe('U&"a""b\\+00000a\\\\! rm -rf\\+00001b[2J\\+00202e"');
  });

  test('are shown without what a terminal takes for commands', () => {
    expect(quoteForReading(nasty)).toBe('"a"b�\\! rm -rf�[2J�"');
    const finding = { check: 'x', title: nasty, message: nasty, stops: [], limits: [], notes: [], remediation: [] };
    expect(describeReport(report({ findings: [finding] }))).not.toMatch(/[^\P{Cc}\n]|\p{Cf}/u);
  });
});

describe('health', () => {
  const now = 1_000_000;
  const broken = report({
    at: new Date(now).toISOString(),
    features: report().features.map((each) => ({
      ...each,
      in_use: each.feature !== 'recovery',
      status:
        each.feature === 'backup' || each.feature === 'recovery'
          ? 'does_not_work'
          : each.feature === 'access'
            ? 'works_with_limits'
            : 'works',
    })),
    findings: [
      {
        check: 'rows_not_readable',
        title: 'Tables cannot be read',
        message: 'x',
        stops: ['backup'],
        limits: [],
        notes: [],
        remediation: [{ by: 'sql', statement: 'GRANT pg_read_all_data TO "dbms";', run_as: null }],
      },
      { check: 'y', title: 'y', message: 'y', stops: [], limits: [], notes: ['access'], remediation: [] },
    ],
  });

  test('counts features in use alone, and not what the documented login is not meant to do', () => {
    const { values, details } = doctorHealth(broken, now);
    expect(values).toEqual({ failing_features: 1, limited_features: 0 });
    expect(details.failing).toBe('Backups: Tables cannot be read (GRANT pg_read_all_data TO "dbms";)');
  });

  test('is unknown before the first report, and when the last one is old', () => {
    const unknown = { failing_features: null, limited_features: null };
    expect(doctorHealth(null, now).values).toEqual(unknown);
    expect(doctorHealth(broken, now + 4 * 86_400_000).values).toEqual(unknown);
  });

  test('counts what is unknown as limited, never as well', () => {
    const [first, ...others] = report().features;
    if (!first) throw new Error('There are no features');
    const unknown = report({ at: new Date(now).toISOString(), features: [{ ...first, status: 'unknown' }, ...others] });
    expect(doctorHealth(unknown, now).values).toEqual({ failing_features: 0, limited_features: 1 });
  });
});

test('the command fails for features in use, and for all where that is asked', () => {
  const [first, ...others] = report().features;
  if (!first) throw new Error('There are no features');
  const unused = report({ features: [{ ...first, status: 'does_not_work', in_use: false }, ...others] });
  expect([isBroken(unused, { all: false }), isBroken(unused, { all: true })]).toEqual([false, true]);
  expect(isBroken(report({ features: [{ ...first, status: 'unknown' }] }), { all: false })).toBe(true);
});

describe('what AWS tells of a server', () => {
  const described = (changes: Partial<NonNullable<Context['server']>>) =>
    ({ id: 'shop', endpoints: { writer: null, reader: null, custom: [] }, exportsLog: true, ...changes }) as never;
  const findings = (changes: Partial<Context>) =>
    runChecks(
      { readings: {} as Readings },
      { ...context, ...changes },
      checks.filter(({ reads }) => reads.length === 0),
    ).findings;

  test('names the resource id that IAM wants since a blue/green switchover', () => {
    const iam = { ...database, login: { type: 'iam', user: 'dbms', resource_id: 'db-OLD' } as const };
    const [finding, ...others] = findings({ database: iam, server: described({ resourceId: 'db-NEW' }) });
    expect(others).toEqual([]);
    expect(finding).toMatchObject({
      check: 'resource_id_changed',
      remediation: [
        { by: 'configuration', statement: "login: { type: 'iam', user: 'dbms', resource_id: 'db-NEW' }", run_as: null },
      ],
    });
    expect(findings({ database: iam, server: described({ resourceId: 'db-OLD' }) })).toEqual([]);
  });

  test('names the endpoint of the writer in place of one of the readers', () => {
    const host = 'shop.cluster-ro-cabcdefghijk.eu-central-1.rds.amazonaws.com';
    const pooler = uncertainEndpoint(host);
    const statementOf = (server: Context['server']) =>
      findings({ database: { ...database, host }, pooler, server })[0]?.remediation[0]?.statement;
    expect(statementOf(null)).toBe(`direct: { host: '${host.replace('-ro-', '-')}', port: 5432 }`);
    const endpoints = { writer: 'the.writer', reader: host, custom: [] };
    expect(statementOf(described({ endpoints }))).toBe("direct: { host: 'the.writer', port: 5432 }");
  });
});
