import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import example from '../../infra/config/example.ts';
import { checkDeployment } from '../../infra/config/load.ts';
import type { DeploymentInput } from '../../infra/config/schema.ts';
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
};
const METRIC_NAMESPACE = metricNamespace('dbms');
let synthesized: Synthesized;
beforeAll(() => {
  synthesized = synthesize(watched);
});
afterAll(() => synthesized?.remove());

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
      databaseAlarms(thresholds).map((alarm) => ({
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
    const list = databaseAlarms(thresholds);
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

  it('watch errors, throttles and duration of every function, but the duration of durable ones', () => {
    for (const { name, durable, timeoutSeconds } of synthesized.app.functions) {
      const own = alarms().filter(({ Dimensions }) => JSON.stringify(Dimensions).includes(`"${name}"`));
      expect(own.map(({ MetricName }) => MetricName).sort(), name).toEqual(
        durable ? ['Errors', 'Throttles'] : ['Duration', 'Errors', 'Throttles'],
      );
      const duration = own.find(({ MetricName }) => MetricName === 'Duration');
      if (duration) expect(duration.Threshold).toBeCloseTo(timeoutSeconds * 900);
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
    const list = databaseAlarms(checkDeployment(watched, 'it').thresholds);
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
  const many = (count: number): DeploymentInput => ({
    ...plain,
    databases: Array.from({ length: count }, (_, index) => ({ ...first, id: `db-${index}` }) as typeof first & object),
  });

  it('that fit have all their alarms on the dashboard, no more in a widget than CloudWatch takes', () => {
    const fitting = synthesize(many(28));
    const fleet = fitting
      .ofType('AWS::CloudWatch::Dashboard')
      .find(({ properties }) => properties.DashboardName === 'plain-fleet');
    const widgets: Widget[] = JSON.parse(String(fleet?.properties.DashboardBody)).widgets;
    const shown = widgets.flatMap(({ type, properties }) => (type === 'alarm' ? [properties.alarms?.length ?? 0] : []));
    fitting.remove();
    expect(Math.max(...shown)).toBeLessThanOrEqual(100);
    const { thresholds } = checkDeployment(plain, 'it');
    expect(shown.reduce((sum, count) => sum + count, 0)).toBe(28 * databaseAlarms(thresholds).length);
  });

  it('that do not fit into a stack are refused, with how many do', () => {
    expect(() => synthesize(many(60))).toThrow(
      /^The stack plain-monitoring would have \d+ resources, and CloudFormation takes 500: 60 databases are too many for one deployment\. Configure at most \d\d in this one/,
    );
  });
});

describe('the sampler', () => {
  it('runs each minute, is not tried again, and ends within its minute', () => {
    const sampler = synthesized.app.functions.find(({ name }) => name === 'dbms-sample-health');
    const rules = synthesized.app.rules.filter(({ targets }) => targets.some(({ arn }) => arn === sampler?.arn));
    expect(rules).toMatchObject([{ scheduleExpression: 'rate(1 minute)' }]);
    expect(sampler?.timeoutSeconds).toBeLessThan(60);
    expect(sampler?.asyncConfigs.values().next().value).toMatchObject({ maximumRetries: 0, maximumAgeSeconds: 60 });
  });
});
