import { beforeAll, describe, expect, it } from 'vitest';
import example from '../../infra/config/example.ts';
import { checkDeployment } from '../../infra/config/load.ts';
import type { DeploymentInput } from '../../infra/config/schema.ts';
import { parseFilterPattern } from '../../local/events/filter-pattern.ts';
import { databaseAlarmName, databaseAlarms, WITH_DRILLS } from '../../shared/health/alarms.ts';
import { checkNames, checkOf } from '../../shared/health/checks.ts';
import {
  DATABASE_DIMENSION,
  metricNames,
  metricNamespace,
  metricOf,
  publishedMetrics,
} from '../../shared/health/metrics.ts';
import { plain } from './support/plain.ts';
import { type Synthesized, synthesize } from './support/synthesize.ts';

const watched: DeploymentInput = {
  ...example,
  thresholds: { connection_usage: 0.6, health_check_interval_seconds: 90 },
  cloudwatch: { metrics: true, alarms: true, dashboards: true },
};
const METRIC_NAMESPACE = metricNamespace('dbms');
let synthesized: Synthesized;
let byDefault: Synthesized;
beforeAll(async () => {
  synthesized = await synthesize(watched);
  byDefault = await synthesize({ ...example, drills: {} });
});

const databases = example.databases.map(({ id }) => id);
const published = publishedMetrics.map(({ name }) => name);
const alarms = () => synthesized.ofType('AWS::CloudWatch::Alarm').map(({ properties }) => properties);

interface Widget {
  type: string;
  properties: { title?: string; metrics?: unknown[][]; alarms?: string[] };
}
const widgetsOf = (name: string): Widget[] => {
  const dashboard = synthesized
    .ofType('AWS::CloudWatch::Dashboard')
    .find(({ properties }) => properties.DashboardName === name);
  return JSON.parse(String(dashboard?.properties.DashboardBody)).widgets;
};
/** Namespace and name of the metrics in a widget. */
const metricsIn = (widgets: readonly Widget[]) =>
  widgets.flatMap(({ properties }) => (properties.metrics ?? []).map(([namespace, name]) => `${namespace} ${name}`));

describe('the one list of metrics', () => {
  it('gives each published one a name of its own', () => {
    expect(new Set(published).size).toBe(published.length);
    expect(publishedMetrics.length).toBe(metricNames.filter((name) => metricOf(name).publishedAs).length);
  });
});

describe('the alarms', () => {
  it('of each database are those of the list, on metrics that are published', () => {
    const { thresholds } = checkDeployment(watched, 'it');
    const expected = databases.flatMap((database) =>
      databaseAlarms(thresholds, true).map((alarm) => ({
        AlarmName: databaseAlarmName('dbms', database, alarm.what),
        Namespace: METRIC_NAMESPACE,
        MetricName: metricOf(alarm.metric).publishedAs,
        Dimensions: [{ Name: DATABASE_DIMENSION, Value: database }],
        Threshold: alarm.threshold,
        ComparisonOperator: alarm.comparison,
        Statistic: alarm.statistic,
        Period: alarm.periodSeconds,
        EvaluationPeriods: alarm.periods,
        TreatMissingData: alarm.missingData,
      })),
    );
    const found = alarms().filter(
      ({ Namespace, AlarmName }) => Namespace === METRIC_NAMESPACE && !String(AlarmName).endsWith(WITH_DRILLS),
    );
    expect(found).toHaveLength(expected.length);
    expect(found).toEqual(expect.arrayContaining(expected.map((each) => expect.objectContaining(each))));
    for (const { MetricName } of found) expect(published).toContain(MetricName);
  });

  it('are there for every check whose metric is published, and follow the configuration', () => {
    const { thresholds } = checkDeployment(watched, 'it');
    const list = databaseAlarms(thresholds, true);
    const wanted = checkNames.filter(
      (name) => metricOf(checkOf(name).metric).publishedAs !== undefined && name !== WITH_DRILLS,
    );
    expect(list.map(({ what }) => what)).toEqual(['no_samples', ...wanted]);
    expect(list.find(({ what }) => what === 'connections')?.threshold).toBeCloseTo(0.92);
    // An interval of 90 s gives a sample every other minute: an alarm of one minute would fire in between.
    expect(list.map(({ periodSeconds }) => periodSeconds)).toEqual(list.map(() => 120));
  });

  it('ring when samples do not arrive', () => {
    for (const database of databases) {
      const alarm = alarms().find(({ AlarmName }) => AlarmName === `dbms/database/${database}/no_samples`);
      expect(alarm).toMatchObject({
        MetricName: 'SamplesTaken',
        TreatMissingData: 'breaching',
        ComparisonOperator: 'LessThanThreshold',
        Threshold: 1,
      });
    }
  });

  it('are by default those of missing samples and those about this system itself', () => {
    const names = byDefault
      .ofType('AWS::CloudWatch::Alarm')
      .map(({ properties, logicalId }) => properties.AlarmName ?? logicalId);
    expect(names.map((name) => String(name).replace(/[0-9A-F]{8}$/, '')).sort()).toEqual(
      [
        'DeadLettersAlarm',
        'SchedulesMissed',
        'dbms/account/throttles',
        ...databases.map((id) => `dbms/database/${id}/no_samples`).sort(),
        'dbms/function/dbms-function-troubled/duration',
        'dbms/function/dbms-function-troubled/errors',
      ].sort(),
    );
    expect(byDefault.ofType('AWS::CloudWatch::Dashboard')).toEqual([]);
  });

  it('need the metrics that they watch, as dashboards do', () => {
    for (const option of ['alarms', 'dashboards']) {
      expect(() => checkDeployment({ ...example, cloudwatch: { [option]: true } }, 'it')).toThrow(
        `cloudwatch.${option}: needs the published metrics: set cloudwatch.metrics to true as well`,
      );
    }
  });

  it('reach the notifier by their names', () => {
    const rule = synthesized.app.rules.find(({ eventPattern }) =>
      JSON.stringify(eventPattern).includes('aws.cloudwatch'),
    );
    const { alarmName } = (rule?.eventPattern?.detail ?? {}) as { alarmName: { prefix: string }[] };
    for (const { AlarmName, MetricName } of alarms()) {
      // Without a name of its own, CloudFormation makes one of the stack's and the resource's.
      const name = String(AlarmName ?? `dbms-backups-${MetricName}`);
      expect(
        alarmName.some(({ prefix }) => name.startsWith(prefix)),
        name,
      ).toBe(true);
    }
    const target = synthesized.app.functions.find(({ name }) => name === 'dbms-alarm-changed');
    expect(rule?.targets.map(({ arn }) => arn)).toEqual([target?.arn]);
  });
});

describe('mails that come back', () => {
  it('are told of by SES, and answered', () => {
    const [destination] = synthesized.ofType('AWS::SES::ConfigurationSetEventDestination');
    expect(destination?.properties).toMatchObject({
      ConfigurationSetName: 'dbms-alerts',
      EventDestination: { Enabled: true, MatchingEventTypes: ['bounce', 'complaint', 'reject'] },
    });
    const rule = synthesized.app.rules.find(({ eventPattern }) => JSON.stringify(eventPattern).includes('aws.ses'));
    expect(rule?.eventPattern?.detail).toEqual({ mail: { tags: { 'ses:configuration-set': ['dbms-alerts'] } } });
    const target = synthesized.app.functions.find(({ name }) => name === 'dbms-mail-returned');
    expect(rule?.targets.map(({ arn }) => arn)).toEqual([target?.arn]);
    for (const name of ['dbms-sample-health', 'dbms-alarm-changed']) {
      const sender = synthesized.app.functions.find((each) => each.name === name);
      expect(sender?.environment).toMatchObject({ MAIL_EVENTS: 'dbms-alerts' });
    }
  });
});

describe('the dashboards', () => {
  it('are one for each database and one for all', () => {
    const names = synthesized.ofType('AWS::CloudWatch::Dashboard').map(({ properties }) => properties.DashboardName);
    expect(names).toEqual([...databases.map((id) => `dbms-${id}`), 'dbms-fleet']);
  });

  it.each(databases)('of a database (%s) show every published metric of it, and its alarms', (database) => {
    const widgets = widgetsOf(`dbms-${database}`);
    const shown = metricsIn(widgets);
    expect(new Set(shown)).toEqual(new Set(published.map((name) => `${METRIC_NAMESPACE} ${name}`)));
    for (const { properties } of widgets) {
      for (const [, , dimension, value] of properties.metrics ?? [])
        expect([dimension, value]).toEqual([DATABASE_DIMENSION, database]);
    }
    const list = databaseAlarms(checkDeployment(watched, 'it').thresholds, true);
    expect(widgets.find(({ type }) => type === 'alarm')?.properties.alarms).toHaveLength(list.length);
  });

  it('of all show every published metric of each database, and the functions', () => {
    const shown = metricsIn(widgetsOf('dbms-fleet'));
    for (const name of published) {
      expect(shown.filter((metric) => metric === `${METRIC_NAMESPACE} ${name}`)).toHaveLength(databases.length);
    }
    for (const metric of ['Errors', 'Throttles', 'Duration']) {
      expect(shown.filter((each) => each === `AWS/Lambda ${metric}`)).toHaveLength(synthesized.app.functions.length);
    }
  });
});

describe('many databases', () => {
  const [first] = plain.databases;
  const many = (count: number, cloudwatch: DeploymentInput['cloudwatch'] = watched.cloudwatch): DeploymentInput => ({
    ...plain,
    ...(cloudwatch ? { cloudwatch } : {}),
    databases: Array.from({ length: count }, (_, index) => ({ ...first, id: `db-${index}` }) as typeof first & object),
  });

  it('that fit have all their alarms on the dashboard, no more in a widget than CloudWatch takes', async () => {
    const fitting = await synthesize(many(28));
    const fleet = fitting
      .ofType('AWS::CloudWatch::Dashboard')
      .find(({ properties }) => properties.DashboardName === 'plain-fleet');
    const widgets: Widget[] = JSON.parse(String(fleet?.properties.DashboardBody)).widgets;
    const shown = widgets.flatMap(({ type, properties }) => (type === 'alarm' ? [properties.alarms?.length ?? 0] : []));
    expect(Math.max(...shown)).toBeLessThanOrEqual(100);
    const { thresholds } = checkDeployment(plain, 'it');
    expect(shown.reduce((sum, count) => sum + count, 0)).toBe(28 * databaseAlarms(thresholds, true).length);
  });

  it('that do not fit into a stack are refused, with how many do', async () => {
    await expect(synthesize(many(60))).rejects.toThrow(
      /^The stack plain-monitoring would have \d+ resources, and CloudFormation takes 500: 60 databases are too many for one deployment\. Configure at most \d\d in this one/,
    );
  });
});

describe('functions that fail', () => {
  const nameOf = (logGroup: unknown) => String(logGroup).slice('/aws/lambda/'.length);

  it('are told of by the log of every function, but that which answers', () => {
    const filters = byDefault
      .ofType('AWS::Logs::SubscriptionFilter')
      .filter(({ properties }) => String(properties.LogGroupName).startsWith('/aws/lambda/'));
    const receiver = byDefault.app.functions.find(({ name }) => name === 'dbms-function-troubled');
    const others = byDefault.app.functions.filter((each) => each !== receiver);
    expect(filters.map(({ properties }) => nameOf(properties.LogGroupName)).sort()).toEqual(
      others.map(({ name }) => name).sort(),
    );
    for (const { properties } of filters) {
      const one = others.find(({ name }) => name === nameOf(properties.LogGroupName));
      expect(properties.DestinationArn).toBe(receiver?.arn);
      // The log group is the one that the function writes to, in the form that the filter reads.
      const [written] = byDefault.ofType('AWS::Lambda::Function').filter(({ name }) => name === one?.name);
      expect(written?.properties.LoggingConfig).toEqual({ LogFormat: 'JSON', LogGroup: properties.LogGroupName });
      const matches = parseFilterPattern(String(properties.FilterPattern));
      const timeoutMs = (one?.timeoutSeconds ?? 0) * 1000;
      const report = (status: string, durationMs: number) =>
        matches({ type: 'platform.report', record: { requestId: 'r', status, metrics: { durationMs } } });
      expect(['error', 'failure', 'timeout'].map((status) => report(status, 1))).toEqual([true, true, true]);
      expect([report('success', 1), report('success', timeoutMs * 0.89)]).toEqual([false, false]);
      expect(report('success', timeoutMs * 0.9), one?.name).toBe(one?.durable === null);
      expect(matches({ type: 'platform.start', record: { status: 'error' } })).toBe(false);
    }
  });

  it('may be told of by this deployment alone', () => {
    const [permission] = byDefault
      .ofType('AWS::Lambda::Permission')
      .filter(
        ({ properties }) =>
          properties.Principal === 'logs.amazonaws.com' && String(properties.SourceArn).includes('/aws/lambda/'),
      );
    expect(permission?.properties.SourceArn).toMatch(/^arn:aws:logs:.*:\d{12}:log-group:\/aws\/lambda\/dbms-\*:\*$/);
  });

  it('are themselves watched by alarms, where they are what answers', () => {
    const own = byDefault
      .ofType('AWS::CloudWatch::Alarm')
      .filter(({ properties }) => JSON.stringify(properties.Dimensions ?? []).includes('dbms-function-troubled'));
    expect(own.map(({ properties }) => [properties.MetricName, properties.Threshold])).toEqual([
      ['Errors', 1],
      ['Duration', 27_000],
    ]);
  });

  it('were not started: an alarm counts that of the whole account, and those that hear of it know the functions', () => {
    const [alarm] = byDefault
      .ofType('AWS::CloudWatch::Alarm')
      .filter(({ properties }) => properties.AlarmName === 'dbms/account/throttles');
    expect(alarm?.properties).toMatchObject({
      Namespace: 'AWS/Lambda',
      MetricName: 'Throttles',
      Statistic: 'Sum',
      Threshold: 1,
    });
    expect(alarm?.properties.Dimensions).toBeUndefined();
    const all = byDefault.app.functions.map(({ name }) => name).sort();
    for (const name of ['dbms-alarm-changed', 'dbms-sample-health']) {
      const knows = byDefault.app.functions.find((each) => each.name === name)?.environment.WATCHED_FUNCTIONS;
      expect(knows?.split(',').sort()).toEqual(all);
    }
  });
});

describe('the sampler', () => {
  it('is started each minute, and over a queue for each further sample of it; it is not tried again', async () => {
    for (const [seconds, delays] of [
      [30, [30]],
      [10, [10, 20, 30, 40, 50]],
      [60, []],
    ] as const) {
      const changed =
        seconds === 30
          ? byDefault
          : await synthesize({ ...plain, thresholds: { health_check_interval_seconds: seconds } });
      const sampler = changed.app.functions.find(({ name }) => name.endsWith('-sample-health'));
      const rules = changed.app.rules.filter(({ targets }) => targets.some(({ arn }) => arn === sampler?.arn));
      const [rule, ...more] = rules.filter(({ scheduleExpression }) => scheduleExpression !== null);
      expect([rule?.scheduleExpression, more]).toEqual(['rate(1 minute)', []]);
      // After a deployment too, so that a new one does not wait for its first sample.
      expect(rules.flatMap(({ eventPattern }) => eventPattern ?? [])).toMatchObject([
        { source: ['aws.cloudformation'] },
      ]);
      const queues = changed.app.queues.filter(({ functions }) => functions.includes(sampler?.name ?? ''));
      expect(queues.map(({ delaySeconds }) => delaySeconds)).toEqual(delays);
      // A rule has five targets at most.
      const over = queues.length > 4 ? changed.ofType('AWS::SNS::Topic') : queues;
      expect(rule?.targets.map(({ arn }) => arn)).toEqual([sampler?.arn, ...over.map(({ arn }) => arn)]);
      if (queues.length > 4) expect(queues.map(({ topics }) => topics)).toEqual(queues.map(() => [over[0]?.arn]));
      // Nothing is made up for: neither a message that waits nor one that failed is there after a minute.
      for (const { retentionSeconds } of queues) expect(retentionSeconds).toBe(60);
      expect(sampler?.asyncConfigs.values().next().value).toMatchObject({ maximumRetries: 0, maximumAgeSeconds: 60 });
      expect(sampler?.timeoutSeconds).toBe(Math.max(20, seconds - 2));
    }
  });

  it('publishes the heartbeat alone, unless more is asked for', () => {
    const published = (of: Synthesized) =>
      of.app.functions.find(({ name }) => name === 'dbms-sample-health')?.environment.PUBLISHED_METRICS;
    expect([published(byDefault), published(synthesized)]).toEqual(['heartbeat', 'all']);
  });
});
