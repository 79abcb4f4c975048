import { describe, expect, it } from 'vitest';
import type { Conditions, Context } from '../../../local/iam/conditions.ts';
import { compileStatements, type PolicyStatement } from '../../../local/iam/evaluate.ts';

const statement = (part: Partial<PolicyStatement>): PolicyStatement => ({
  effect: 'Allow',
  actions: ['s3:GetObject'],
  resources: ['*'],
  conditions: {},
  ...part,
});
const decide = (statements: PolicyStatement[], context: Context = {}) =>
  compileStatements(statements)({ action: 's3:GetObject', resource: 'arn:aws:s3:::one/a', context });

describe('a decision', () => {
  it('is a denial where nothing is said, and where one statement denies what another allows', () => {
    expect(decide([])).toBe('implicit');
    expect(decide([statement({})])).toBe('allowed');
    expect(decide([statement({}), statement({ effect: 'Deny' })])).toBe('explicit');
  });

  it('tells actions and resources apart by their wildcards', () => {
    expect(decide([statement({ actions: ['s3:Get*'], resources: ['arn:aws:s3:::one/*'] })])).toBe('allowed');
    expect(decide([statement({ actions: ['S3:getobject'] })])).toBe('allowed');
    expect(decide([statement({ actions: ['s3:Put*'] })])).toBe('implicit');
    expect(decide([statement({ resources: ['arn:aws:s3:::one'] })])).toBe('implicit');
    expect(decide([statement({ resources: ['arn:aws:s3:::o?e/a'] })])).toBe('allowed');
  });

  it('fails for a condition that is not understood', () => {
    expect(() => decide([statement({ conditions: { DateLessThan: { 'aws:CurrentTime': '2020-01-01' } } })])).toThrow(
      'DateLessThan',
    );
  });

  it('costs a small part of a call', () => {
    const many = Array.from({ length: 60 }, (_, index) =>
      statement({ actions: [`dynamodb:Action${index % 20}`], resources: [`arn:aws:dynamodb:::table/${index}*`] }),
    );
    const decision = compileStatements(many);
    const started = performance.now();
    for (let index = 0; index < 10_000; index++)
      decision({ action: `dynamodb:Action${index % 20}`, resource: `arn:aws:dynamodb:::table/${index}` });
    // Measured: 1 to 2 µs.
    expect((performance.now() - started) / 10_000).toBeLessThan(0.2);
  });
});

const holds = (conditions: Conditions, context: Context) => decide([statement({ conditions })], context) === 'allowed';

describe.each<[operator: string, values: string | string[], met: string, unmet: string, withoutKey: boolean]>([
  ['StringEquals', ['a', 'b'], 'b', 'c', false],
  ['StringEqualsIfExists', 'a', 'a', 'c', true],
  ['StringNotEquals', ['a', 'b'], 'c', 'b', true],
  ['StringLike', 'a*', 'abc', 'ba', false],
  ['StringLikeIfExists', 'a*', 'abc', 'ba', true],
  ['StringNotLike', ['a*', 'b*'], 'cb', 'bc', true],
  ['ArnLike', 'arn:aws:logs:*', 'arn:aws:logs:x', 'arn:aws:s3:x', false],
  ['Bool', 'false', 'false', 'true', false],
  ['NumericLessThan', '1.2', '1.1', '1.3', false],
  ['IpAddress', ['10.0.0.0/8', '2001:db8::/32'], '10.1.2.3', '11.1.2.3', false],
  ['NotIpAddress', ['10.0.0.0/8'], '11.1.2.3', '10.1.2.3', true],
])('the operator %s', (operator, values, met, unmet, withoutKey) => {
  it('holds as IAM has it', () => {
    const conditions = { [operator]: { key: values } };
    expect(holds(conditions, { key: met })).toBe(true);
    expect(holds(conditions, { key: unmet })).toBe(false);
    expect(holds(conditions, {})).toBe(withoutKey);
  });
});

describe('conditions', () => {
  it('on several values of a request hold for all or for any', () => {
    const all = { 'ForAllValues:StringLike': { key: 'a*' } };
    expect(holds(all, { key: ['a1', 'a2'] })).toBe(true);
    expect(holds(all, { key: ['a1', 'b2'] })).toBe(false);
    expect(holds(all, {})).toBe(true);
    const any = { 'ForAnyValue:StringLike': { key: 'a*' } };
    expect(holds(any, { key: ['a1', 'b2'] })).toBe(true);
    expect(holds(any, {})).toBe(false);
    const none = { 'ForAllValues:StringNotLike': { key: ['a*', 'b'] } };
    expect(holds(none, { key: ['c', 'd'] })).toBe(true);
    expect(holds(none, { key: ['c', 'a1'] })).toBe(false);
  });

  it('must all hold', () => {
    const both = { StringEquals: { one: '1', two: '2' } };
    expect(holds(both, { one: '1', two: '2' })).toBe(true);
    expect(holds(both, { one: '1', two: '3' })).toBe(false);
  });

  it('tell whether a key is there', () => {
    expect(holds({ Null: { key: 'false' } }, { key: 'x' })).toBe(true);
    expect(holds({ Null: { key: 'false' } }, {})).toBe(false);
    expect(holds({ Null: { key: 'true' } }, {})).toBe(true);
  });
});
