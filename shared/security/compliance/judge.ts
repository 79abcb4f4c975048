import type { Readings } from './readings/sections.ts';
import { type AnyRule, type Context, type Judgement, unknown } from './rule.ts';

/** Judges one rule by what was read. A section that could not be read is never a pass. */
export function judge(
  rule: AnyRule,
  readings: Readings,
  { now, database }: Omit<Context, 'instance' | 'parameters'>,
): Judgement {
  const reading = readings[rule.reads];
  if ('why' in reading) return unknown(`It could not be read: ${reading.why}`);
  const instance = 'value' in readings.instance ? readings.instance.value : null;
  const parameters = 'value' in readings.parameters ? readings.parameters.value : null;
  const context: Context = { now, database, instance, parameters };
  return (rule.judge as (value: unknown, context: Context) => Judgement)(reading.value, context);
}
