import type { Level } from '../contract/schemas/health.ts';

/** From which value on a check is at a level. */
export type Levels = Partial<Record<Level, number>>;

export const levelOrder: readonly Level[] = ['INFO', 'WARNING', 'ERROR', 'CRITICAL'];

/** Above zero when `one` is worse than `other`. */
export function compareLevels(one: Level, other: Level): number {
  return levelOrder.indexOf(one) - levelOrder.indexOf(other);
}
