import type { Thresholds } from '../configuration/runtime.ts';
import type { Level } from '../contract/schemas/health.ts';
import type { CheckDefinition } from './checks/definition.ts';
import { type CheckName, checkOf } from './checks.ts';
import { type Levels, levelOrder } from './levels.ts';

/** A check as it is for one database: the defaults, what the configuration says, and what administrators have set. */
export interface EffectiveCheck {
  enabled: boolean;
  levels: Levels;
  for_seconds: number;
  clear_seconds: number;
  hysteresis: number;
}

/** A check as the configuration has it, before administrators' own settings. */
export function defaultCheck(name: CheckName, configured: Thresholds): EffectiveCheck {
  const { levels, forSeconds, clearSeconds, hysteresis } = checkOf(name);
  return {
    enabled: true,
    levels: typeof levels === 'function' ? levels(configured) : levels,
    for_seconds: forSeconds,
    clear_seconds: clearSeconds,
    hysteresis,
  };
}

/** Whether a value is as bad as a threshold says, or, `relaxed`, still not good again. */
export function passes({ bad }: Pick<CheckDefinition, 'bad'>, value: number, threshold: number, relaxed = 0): boolean {
  if (bad === 'below') return value < threshold + Math.abs(threshold) * relaxed;
  return (bad === 'outside' ? Math.abs(value) : value) >= threshold - Math.abs(threshold) * relaxed;
}

/** The worst level whose threshold a value has passed. */
export function levelOfValue(name: CheckName, { levels }: Pick<EffectiveCheck, 'levels'>, value: number): Level | null {
  const passed = levelOrder.filter((level) => {
    const threshold = levels[level];
    return threshold !== undefined && passes(checkOf(name), value, threshold);
  });
  return passed.at(-1) ?? null;
}
