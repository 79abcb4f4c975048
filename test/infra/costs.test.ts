import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { estimate, total } from '../../infra/costs/estimate.ts';
import { factsOf, timesOfMonth, timesOfUnixCron } from '../../infra/costs/facts.ts';
import { type PricedRegion, prices } from '../../infra/costs/prices.ts';
import {
  configurations,
  costTables,
  counts,
  type Priced,
  price,
  readTemplates,
  withTables,
} from '../../infra/costs/table.ts';
import { synthesize } from './support/synthesize.ts';

let priced: Priced[];
beforeAll(async () => {
  priced = await Promise.all(
    configurations().map(async (input) => ({ input, templates: readTemplates((await synthesize(input)).folder) })),
  );
});

describe('docs/costs.md', () => {
  it('has the tables of the present templates, prices and assumptions: `npm run costs` makes them', () => {
    const text = readFileSync(new URL('../../docs/costs.md', import.meta.url), 'utf8');
    expect(withTables(text, costTables(priced))).toBe(text);
  });
});

describe('by default', () => {
  const regions = Object.keys(prices) as PricedRegion[];

  it.each(regions)(
    'the first database costs no more than 8 USD a month in %s, and each further no more than 3',
    (region) => {
      const of = (count: number) => {
        const found = priced[counts.indexOf(count as (typeof counts)[number])];
        if (!found) throw new Error(`There is no template of ${count} databases`);
        return total(price(found, region).estimate);
      };
      expect(of(1)).toBeLessThanOrEqual(8);
      expect((of(10) - of(1)) / 9).toBeLessThanOrEqual(3);
      expect((of(100) - of(10)) / 90).toBeLessThanOrEqual(3);
    },
  );

  it('a hundred databases are one deployment, with one alarm for each', () => {
    const [one, , hundred] = priced.map(({ templates }) => factsOf(templates, 'dbms'));
    expect((hundred?.alarms ?? 0) - (one?.alarms ?? 0)).toBe(99);
    expect(hundred?.resourcesOfLargestStack).toBeLessThan(400);
  });
});

describe('what is counted', () => {
  const rule = (expression: string, ...arns: unknown[]) => ({
    Type: 'AWS::Events::Rule',
    Properties: { ScheduleExpression: expression, Targets: arns.map((Arn) => ({ Arn })) },
  });
  const fn = (name: string) => ({
    Type: 'AWS::Lambda::Function',
    Properties: { FunctionName: `dbms-${name}`, MemorySize: 256, Timeout: 30 },
  });
  const arn = (id: string) => ({ 'Fn::GetAtt': [id, 'Arn'] });

  it('are the metrics of an alarm, its expressions not', () => {
    const metric = { Id: 'a', MetricStat: {} };
    const { alarms, alarmMetrics } = factsOf(
      [
        {
          Resources: {
            Single: { Type: 'AWS::CloudWatch::Alarm', Properties: { MetricName: 'Errors' } },
            Math: { Type: 'AWS::CloudWatch::Alarm', Properties: { Metrics: [metric, metric, { Expression: 'a+b' }] } },
          },
        },
      ],
      'dbms',
    );
    expect([alarms, alarmMetrics]).toEqual([2, 3]);
  });

  it('are the invocations that a rule starts, by itself and over a queue', () => {
    const Resources = {
      Sampler: fn('sample-health'),
      Other: fn('other'),
      Each: rule('rate(1 minute)', arn('Sampler'), arn('Queue')),
      Rarely: rule('rate(1 hour)', arn('Other')),
      Mapping: {
        Type: 'AWS::Lambda::EventSourceMapping',
        Properties: { EventSourceArn: arn('Queue'), FunctionName: { Ref: 'Sampler' } },
      },
    };
    const facts = factsOf([{ Resources }], 'dbms');
    expect(facts.functions.map(({ name, scheduled, queued }) => [name, scheduled, queued])).toEqual([
      ['sample-health', 43_800, 43_800],
      ['other', 730, 0],
    ]);
  });

  it.each([
    ['rate(5 minutes)', 8760],
    ['rate(1 day)', 43_800 / 1440],
    ['cron(0 7 ? * MON *)', 52 / 12],
    ['cron(30 4 * * ? *)', 365 / 12],
  ])('%s is %d times a month', (expression, times) => {
    expect(timesOfMonth(expression)).toBeCloseTo(times, 6);
  });

  it('a Unix cron expression likewise, and none for null', () => {
    expect([timesOfUnixCron('0 */6 * * *'), timesOfUnixCron(null)]).toEqual([(365 * 4) / 12, 0]);
    expect(() => timesOfMonth('every day')).toThrow('is no schedule expression');
  });

  it('a sampler that must be there', () => {
    const facts = factsOf([{ Resources: { Other: fn('other') } }], 'dbms');
    const usage = { invocations: {} } as never;
    expect(() =>
      estimate({
        facts,
        deployment: { databases: [] as never, schedules: {} as never },
        prices: prices['us-east-1'],
        usage,
      }),
    ).toThrow('no sampler');
  });
});
