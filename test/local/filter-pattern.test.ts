import { describe, expect, it } from 'vitest';
import { parseFilterPattern } from '../../local/events/filter-pattern.ts';

describe('a filter pattern', () => {
  const event = { type: 'platform.report', record: { status: 'error', metrics: { durationMs: 900.5 } } };
  it.each([
    ['{ $.type = "platform.report" }', true],
    ['{ $.type != "platform.report" }', false],
    ['{ $.record.metrics.durationMs >= 900.5 }', true],
    ['{ $.record.metrics.durationMs > 900.5 }', false],
    ['{ $.type = "platform.report" && ($.record.status != "success" || $.record.metrics.durationMs >= 1000) }', true],
    ['{ $.type = "x" || $.record.status = "error" && $.record.metrics.durationMs < 1000 }', true],
    ['{ ($.type = "x" || $.record.status = "error") && $.record.metrics.durationMs < 10 }', false],
    // What is not there matches nothing, as in CloudWatch.
    ['{ $.record.errorType != "x" }', false],
    ['{ $.record.status >= 3 }', false],
  ])('%s lets it through: %s', (pattern, expected) => {
    expect(parseFilterPattern(pattern)(event)).toBe(expected);
  });

  it.each(['ERROR', '{ $.a = * }', '{ $.a = 1', '{ $.a = 1 } x', '[a, b]'])('%s is refused', (pattern) => {
    expect(() => parseFilterPattern(pattern)).toThrow('does not run locally');
  });
});
