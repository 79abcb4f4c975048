import { describe, expect, test } from 'vitest';
import { type Change, evaluate, type Trackers } from '../../shared/alerts/evaluate.ts';
import { runtimeConfigurationSchema } from '../../shared/configuration/runtime.ts';
import { type CheckName, checkNames } from '../../shared/health/checks.ts';
import { defaultCheck, type EffectiveCheck } from '../../shared/health/effective-check.ts';
import type { MetricValues } from '../../shared/health/metrics.ts';

const { thresholds } = runtimeConfigurationSchema.parse({
  databases: [{ id: 'a', host: 'h', name: 'n', login: { type: 'secret', secret_arn: 'arn:aws:secretsmanager:x' } }],
});
const defaults = Object.fromEntries(checkNames.map((name) => [name, defaultCheck(name, thresholds)])) as Record<
  CheckName,
  EffectiveCheck
>;

/** Runs samples of (second, values) through the checks and tells the changes with their seconds. */
function course(
  samples: [second: number, values: MetricValues, more?: { inMaintenance?: boolean; off?: boolean }][],
  changed: Partial<EffectiveCheck> = {},
  check: CheckName = 'connections',
  escalateAfterSeconds: number | null = null,
) {
  let trackers: Trackers = {};
  let ids = 0;
  const seen: [number, Change['kind'], string, string][] = [];
  for (const [second, values, { inMaintenance = false, off = false } = {}] of samples) {
    const checks = { ...defaults, [check]: { ...defaults[check], ...changed, enabled: !off } };
    const newId = () => `alert-${++ids}`;
    const result = evaluate(trackers, {
      at: second * 1000,
      values,
      betweenSamples: 30,
      checks,
      escalateAfterSeconds,
      inMaintenance,
      newId,
    });
    trackers = result.trackers;
    seen.push(
      ...result.changes.map(({ kind, level, alertId }): (typeof seen)[number] => [second, kind, level, alertId]),
    );
  }
  return { seen, trackers };
}

const use = (connection_usage: number | null): MetricValues => ({ connection_usage });
const rule = { levels: { WARNING: 0.8, CRITICAL: 0.95 }, for_seconds: 60, clear_seconds: 120, hysteresis: 0.05 };

describe('an alert', () => {
  test('opens once the value has been bad for its time, and resolves once it has been good for its time', () => {
    const { seen, trackers } = course(
      [
        [0, use(0.85)],
        [30, use(0.85)],
        [60, use(0.85)],
        [90, use(0.85)],
        [120, use(0.5)],
        [210, use(0.5)],
        [240, use(0.5)],
        [270, use(0.5)],
      ],
      rule,
    );
    expect(seen).toEqual([
      [60, 'open', 'WARNING', 'alert-1'],
      [240, 'resolve', 'WARNING', 'alert-1'],
    ]);
    expect(trackers).toEqual({});
  });

  test('opens, rises and resolves by the samples nearest to their times, which come somewhat before or after them', () => {
    const seconds = [0, 29.98, 59.96, 90.1, 119.9, 150, 180.1, 209.9, 239.7, 270];
    const samples = seconds.map((second): [number, MetricValues] => [second, use(second < 119 ? 0.85 : 0.5)]);
    expect(course(samples, rule).seen).toEqual([
      [59.96, 'open', 'WARNING', 'alert-1'],
      [239.7, 'resolve', 'WARNING', 'alert-1'],
    ]);
    const staying = seconds.map((second): [number, MetricValues] => [second, use(0.85)]);
    expect(course(staying, { ...rule, for_seconds: 0 }, 'connections', 120).seen).toEqual([
      [0, 'open', 'WARNING', 'alert-1'],
      [119.9, 'escalate', 'ERROR', 'alert-1'],
      [239.7, 'escalate', 'CRITICAL', 'alert-1'],
    ]);
  });

  test('does not open a sample early, for a time that is no multiple of what lies between two', () => {
    const late = [0, 30.3, 60.3, 90.3].map((second): [number, MetricValues] => [second, use(0.85)]);
    expect(course(late, { ...rule, for_seconds: 65 }).seen).toEqual([[90.3, 'open', 'WARNING', 'alert-1']]);
    expect(course(late, { ...rule, for_seconds: 1 }).seen).toEqual([[30.3, 'open', 'WARNING', 'alert-1']]);
  });

  test('does not open for a value that was bad in between only', () => {
    const values = [0.85, 0.5, 0.85, 0.5, 0.85, 0.5];
    expect(
      course(
        values.map((value, index) => [index * 30, use(value)]),
        rule,
      ).seen,
    ).toEqual([]);
  });

  test('does not flap: within the hysteresis, a value is neither bad anew nor good again', () => {
    const values = [0.85, 0.85, 0.85, ...Array.from({ length: 40 }, (_, index) => (index % 2 ? 0.805 : 0.77))];
    expect(
      course(
        values.map((value, index) => [index * 30, use(value)]),
        rule,
      ).seen,
    ).toEqual([[60, 'open', 'WARNING', 'alert-1']]);
  });

  test('is not over before its value has come back by the hysteresis', () => {
    const values = [0.85, 0.85, 0.85, ...Array.from({ length: 20 }, () => 0.77)];
    const { seen } = course(
      values.map((value, index) => [index * 30, use(value)]),
      rule,
    );
    expect(seen).toEqual([[60, 'open', 'WARNING', 'alert-1']]);
  });

  test('rises with its value, at once where it opens, and keeps the worst level', () => {
    const straight = course(
      [
        [0, use(0.99)],
        [60, use(0.99)],
      ],
      rule,
    );
    expect(straight.seen).toEqual([[60, 'open', 'CRITICAL', 'alert-1']]);
    const { seen } = course(
      [
        [0, use(0.85)],
        [60, use(0.85)],
        [90, use(0.99)],
        [150, use(0.99)],
        [180, use(0.85)],
        [900, use(0.85)],
        [930, use(0.1)],
        [1050, use(0.1)],
      ],
      rule,
    );
    expect(seen).toEqual([
      [60, 'open', 'WARNING', 'alert-1'],
      [150, 'raise', 'CRITICAL', 'alert-1'],
      [1050, 'resolve', 'CRITICAL', 'alert-1'],
    ]);
  });

  test('rises with time, while it stays and until it is CRITICAL', () => {
    const samples = Array.from({ length: 10 }, (_, index): [number, MetricValues] => [index * 60, use(0.85)]);
    expect(course(samples, { ...rule, for_seconds: 0 }, 'connections', 120).seen).toEqual([
      [0, 'open', 'WARNING', 'alert-1'],
      [120, 'escalate', 'ERROR', 'alert-1'],
      [240, 'escalate', 'CRITICAL', 'alert-1'],
    ]);
    expect(course(samples, { ...rule, levels: { INFO: 0.8 }, for_seconds: 0 }, 'connections', 120).seen).toHaveLength(
      1,
    );
  });

  test('is left alone by an unknown value', () => {
    const { seen } = course(
      [
        [0, use(0.85)],
        [60, use(0.85)],
        [90, use(null)],
        [9000, {}],
        [9030, use(0.85)],
      ],
      rule,
    );
    expect(seen).toEqual([[60, 'open', 'WARNING', 'alert-1']]);
  });

  test('waits for the end of a maintenance window, but may resolve in it', () => {
    const inMaintenance = { inMaintenance: true };
    const { seen } = course(
      [
        [0, use(0.85), inMaintenance],
        [600, use(0.85), inMaintenance],
        [630, use(0.85)],
        [660, use(0.1), inMaintenance],
        [780, use(0.1), inMaintenance],
      ],
      rule,
    );
    expect(seen).toEqual([
      [630, 'open', 'WARNING', 'alert-1'],
      [780, 'resolve', 'WARNING', 'alert-1'],
    ]);
  });

  test('is resolved when its check is switched off', () => {
    const { seen } = course(
      [
        [0, use(0.85)],
        [60, use(0.85)],
        [90, use(0.85), { off: true }],
      ],
      rule,
    );
    expect(seen).toEqual([
      [60, 'open', 'WARNING', 'alert-1'],
      [90, 'resolve', 'WARNING', 'alert-1'],
    ]);
  });

  test('of a check whose low values are bad, or those far from zero', () => {
    const days = course(
      [
        [0, { certificate_days: 31 }],
        [30, { certificate_days: 13 }],
      ],
      {},
      'certificate',
    );
    expect(days.seen).toEqual([[30, 'open', 'ERROR', 'alert-1']]);
    const rate = course(
      [
        [0, { query_rate_deviation: -9 }],
        [600, { query_rate_deviation: -9 }],
      ],
      {},
      'query_rate_unusual',
    );
    expect(rate.seen).toEqual([[600, 'open', 'INFO', 'alert-1']]);
  });
});

test('the default levels of every check get worse from one to the next', () => {
  for (const name of checkNames) expect(Object.keys(defaults[name].levels).length, name).toBeGreaterThan(0);
  expect(defaults.disk.levels).toEqual({ WARNING: 0.9, ERROR: 0.95, CRITICAL: expect.closeTo(0.98) });
  expect(defaults.connections.levels.WARNING).toBe(0.8);
  expect(defaults.response_time.levels.WARNING).toBe(2000);
  expect(defaults.error_rate.levels.WARNING).toBe(0.05);
});
