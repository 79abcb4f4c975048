import { BlockList, isIP } from 'node:net';
import { matches } from './pattern.ts';

/** Keys of conditions and what a request has of them; a key that the request does not have is not there. */
export type Context = Readonly<Record<string, string | readonly string[] | undefined>>;

/** By operator and key, as a policy has them. */
export type Conditions = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

type Test = (actual: string, values: readonly string[]) => boolean;

const equals: Test = (actual, values) => values.includes(actual);
const like: Test = (actual, values) => values.some((value) => matches(value, actual));
const number = (compare: (actual: number, value: number) => boolean): Test => {
  return (actual, values) => values.some((value) => compare(Number(actual), Number(value)));
};

const positive: Readonly<Record<string, Test>> = {
  StringEquals: equals,
  StringEqualsIgnoreCase: (actual, values) => values.some((value) => value.toLowerCase() === actual.toLowerCase()),
  StringLike: like,
  ArnEquals: like,
  ArnLike: like,
  Bool: (actual, values) => values.some((value) => value.toLowerCase() === actual.toLowerCase()),
  IpAddress: isWithin,
  NumericEquals: number((actual, value) => actual === value),
  NumericLessThan: number((actual, value) => actual < value),
  NumericLessThanEquals: number((actual, value) => actual <= value),
  NumericGreaterThan: number((actual, value) => actual > value),
  NumericGreaterThanEquals: number((actual, value) => actual >= value),
};

/** Those of which a request without the key fulfils the condition. */
const negative: Readonly<Record<string, Test>> = Object.fromEntries(
  Object.entries({
    StringNotEquals: 'StringEquals',
    StringNotEqualsIgnoreCase: 'StringEqualsIgnoreCase',
    StringNotLike: 'StringLike',
    ArnNotEquals: 'ArnEquals',
    ArnNotLike: 'ArnLike',
    NotIpAddress: 'IpAddress',
    NumericNotEquals: 'NumericEquals',
  }).map(([name, opposite]): [string, Test] => {
    const test = positive[opposite] as Test;
    return [name, (actual, values) => !test(actual, values)];
  }),
);

/**
 * Makes one test of a statement's conditions, all of which must hold.
 *
 * @throws Error for an operator that IAM has and this does not: a condition that is not understood must not pass for one that holds
 */
export function compileConditions(conditions: Conditions): (context: Context) => boolean {
  const tests = Object.entries(conditions).flatMap(([operator, keys]) =>
    Object.entries(keys).map(([key, given]) => compileOne(operator, key, [given].flat().map(String))),
  );
  return (context) => tests.every((test) => test(context));
}

function compileOne(operator: string, key: string, values: readonly string[]): (context: Context) => boolean {
  const actualOf = (context: Context): readonly string[] | undefined => {
    const actual = context[key];
    return actual === undefined ? undefined : [actual].flat();
  };
  if (operator === 'Null') return (context) => values.includes(String(actualOf(context) === undefined));
  const [, quantifier, name = '', ifExists] = /^(?:(ForAllValues|ForAnyValue):)?(.*?)(IfExists)?$/.exec(operator) ?? [];
  const test = positive[name] ?? negative[name];
  if (!test) throw new Error(`The condition operator ${operator} is not evaluated by the local run`);
  const isMetWithout = ifExists !== undefined || quantifier === 'ForAllValues' || (!quantifier && name in negative);
  return (context) => {
    const actual = actualOf(context);
    if (actual === undefined) return isMetWithout;
    return quantifier === 'ForAllValues'
      ? actual.every((one) => test(one, values))
      : actual.some((one) => test(one, values));
  };
}

function isWithin(address: string, ranges: readonly string[]): boolean {
  const family = (text: string) => (isIP(text) === 6 ? 'ipv6' : 'ipv4');
  const list = new BlockList();
  for (const range of ranges) {
    const [network = '', bits = family(network) === 'ipv6' ? '128' : '32'] = range.split('/');
    list.addSubnet(network, Number(bits), family(network));
  }
  return list.check(address, family(address));
}
