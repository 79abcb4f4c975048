import { describe, expect, it } from 'vitest';
import { nextRun } from '../../local/events/expressions.ts';
import { matchesPattern } from '../../local/events/patterns.ts';

const at = (text: string) => Date.parse(text);
const next = (expression: string, from: string, zone = 'UTC') => {
  const time = nextRun(expression, zone, at(from), at(from));
  return time === null ? null : new Date(time).toISOString();
};

describe('schedule expressions', () => {
  it.each([
    ['cron(0 2 ? * SUN *)', '2026-01-01T00:00:00Z', '2026-01-04T02:00:00.000Z'],
    ['cron(0 2 ? * 1 *)', '2026-01-01T00:00:00Z', '2026-01-04T02:00:00.000Z'],
    ['cron(0 9 ? * 2-6 *)', '2026-01-03T00:00:00Z', '2026-01-05T09:00:00.000Z'],
    ['cron(0 */6 * * ? *)', '2026-01-01T06:00:00Z', '2026-01-01T12:00:00.000Z'],
    ['cron(0 0 L * ? *)', '2026-02-01T00:00:00Z', '2026-02-28T00:00:00.000Z'],
    ['cron(0 0 15W * ? *)', '2026-08-01T00:00:00Z', '2026-08-14T00:00:00.000Z'],
    ['cron(0 8 ? * 2#1 *)', '2026-01-01T00:00:00Z', '2026-01-05T08:00:00.000Z'],
    ['cron(0 0 1 1 ? 2030)', '2026-01-01T00:00:00Z', '2030-01-01T00:00:00.000Z'],
    ['rate(5 minutes)', '2026-01-01T00:00:00Z', '2026-01-01T00:05:00.000Z'],
    ['at(2026-03-01T10:11:12)', '2026-01-01T00:00:00Z', '2026-03-01T10:11:12.000Z'],
  ])('%s after %s is %s', (expression, from, expected) => {
    expect(next(expression, from)).toBe(expected);
  });

  it('follow the clock of their time zone', () => {
    expect(next('cron(0 2 * * ? *)', '2026-01-10T12:00:00Z', 'Europe/Berlin')).toBe('2026-01-11T01:00:00.000Z');
    expect(next('cron(0 2 * * ? *)', '2026-07-10T12:00:00Z', 'Europe/Berlin')).toBe('2026-07-11T00:00:00.000Z');
  });

  it('end', () => {
    expect(next('cron(0 0 1 1 ? 2020)', '2026-01-01T00:00:00Z')).toBeNull();
    expect(next('at(2020-01-01T00:00:00)', '2026-01-01T00:00:00Z')).toBeNull();
  });

  it.each(['cron(0 2 * * ?)', 'rate(0 minutes)', 'every day', 'cron(0 0 32W * ? *)'])('%s is refused', (expression) => {
    expect(() => next(expression, '2026-01-01T00:00:00Z')).toThrow();
  });
});

describe('event patterns', () => {
  const event = { source: 'aws.lambda', detail: { status: 'FAILED', functionArn: 'arn:f:backup:1', count: 3 } };
  it.each([
    [{ source: ['aws.lambda'] }, true],
    [{ source: ['aws.lambda'], detail: { status: ['FAILED', 'STOPPED'] } }, true],
    [{ detail: { status: ['SUCCEEDED'] } }, false],
    [{ detail: { functionArn: [{ prefix: 'arn:f:backup' }] } }, true],
    [{ detail: { functionArn: [{ wildcard: 'arn:f:*:1' }] } }, true],
    [{ detail: { status: [{ 'anything-but': ['FAILED'] }] } }, false],
    [{ detail: { count: [{ numeric: ['>', 2, '<=', 3] }] } }, true],
    [{ detail: { missing: [{ exists: false }] } }, true],
  ])('%j matches: %s', (pattern, expected) => {
    expect(matchesPattern(pattern, event)).toBe(expected);
  });

  it('refuse a comparison that is not known', () => {
    expect(() => matchesPattern({ source: [{ cidr: '10.0.0.0/8' }] }, event)).toThrow('cidr');
  });
});
