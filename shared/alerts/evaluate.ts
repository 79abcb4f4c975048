import type { Level } from '../contract/schemas/health.ts';
import { type CheckName, checkNames, checkOf } from '../health/checks.ts';
import { type EffectiveCheck, passes } from '../health/effective-check.ts';
import { compareLevels, levelOrder } from '../health/levels.ts';
import type { MetricValues } from '../health/metrics.ts';
import { hasLasted } from '../health/sampling-interval.ts';

/** What is remembered of a check from sample to sample. Times in milliseconds since the epoch. */
export interface Tracker {
  /** Since when the value is beyond each level's threshold, and has not come back far enough. */
  since: Partial<Record<Level, number>>;
  /** Since when it is good again, while its alert is open. */
  good_since: number | null;
  alert: { id: string; level: Level; risen_at: number } | null;
}

export type Trackers = Partial<Record<CheckName, Tracker>>;

interface ChangeOf {
  check: CheckName;
  alertId: string;
  level: Level;
  value: number | null;
  threshold: number | null;
}

/** What an evaluation leads to. */
export type Change = ChangeOf & { kind: 'open' | 'raise' | 'escalate' | 'resolve' };

export interface Evaluation {
  /** Milliseconds since the epoch. */
  at: number;
  values: MetricValues;
  /** Seconds from one sample to the next. */
  betweenSamples: number;
  checks: Readonly<Record<CheckName, EffectiveCheck>>;
  /** null: alerts do not rise with time. */
  escalateAfterSeconds: number | null;
  /** Within a maintenance window nothing is opened or raised. */
  inMaintenance: boolean;
  newId: () => string;
}

const noTracker: Tracker = { since: {}, good_since: null, alert: null };

/**
 * Holds a sample against the thresholds. A value that is not known changes nothing: neither opens an alert nor ends one.
 *
 * A value is at a level once it is beyond its threshold, until it has come back by the hysteresis; it is an alert once that has
 * lasted for `for_seconds`, and over once the value was good for `clear_seconds`, by the sample nearest to then. An alert keeps the worst
 * level it has had.
 */
export function evaluate(before: Trackers, evaluation: Evaluation): { trackers: Trackers; changes: Change[] } {
  const trackers: Trackers = {};
  const changes: Change[] = [];
  for (const name of checkNames) {
    const { tracker, change } = evaluateCheck(name, before[name] ?? noTracker, evaluation);
    if (tracker.alert || tracker.good_since !== null || Object.keys(tracker.since).length > 0) trackers[name] = tracker;
    if (change) changes.push(change);
  }
  return { trackers, changes };
}

function evaluateCheck(
  name: CheckName,
  before: Tracker,
  { at, values, betweenSamples, checks, escalateAfterSeconds, inMaintenance, newId }: Evaluation,
): { tracker: Tracker; change: Change | null } {
  const check = checks[name];
  const value = values[checkOf(name).metric] ?? null;
  if (check.enabled && value === null) return { tracker: before, change: null };
  const since = check.enabled && value !== null ? sinceOf(name, check, before.since, value, at) : {};
  const { alert } = before;
  const lasts = (begun: number, seconds: number): boolean => hasLasted(at - begun, seconds, betweenSamples);
  const changeTo = (kind: Change['kind'], id: string, level: Level): Change => ({
    kind,
    check: name,
    alertId: id,
    level,
    value,
    threshold: check.levels[level] ?? null,
  });

  if (Object.keys(since).length === 0) {
    if (!alert) return { tracker: noTracker, change: null };
    const good_since = before.good_since ?? at;
    if (check.enabled && !lasts(good_since, check.clear_seconds))
      return { tracker: { since, good_since, alert }, change: null };
    return { tracker: noTracker, change: changeTo('resolve', alert.id, alert.level) };
  }

  const tracker: Tracker = { since, good_since: null, alert };
  const lasting = levelOrder.filter((level) => {
    const begun = since[level];
    return begun !== undefined && lasts(begun, check.for_seconds);
  });
  const level = lasting.at(-1);
  if (inMaintenance || level === undefined) return { tracker, change: null };
  if (!alert) {
    const id = newId();
    return { tracker: { ...tracker, alert: { id, level, risen_at: at } }, change: changeTo('open', id, level) };
  }
  if (compareLevels(level, alert.level) > 0) {
    return {
      tracker: { ...tracker, alert: { ...alert, level, risen_at: at } },
      change: changeTo('raise', alert.id, level),
    };
  }
  const next = levelOrder[levelOrder.indexOf(alert.level) + 1];
  const stays = escalateAfterSeconds !== null && lasts(alert.risen_at, escalateAfterSeconds);
  if (!stays || next === undefined || alert.level === 'INFO') return { tracker, change: null };
  return {
    tracker: { ...tracker, alert: { ...alert, level: next, risen_at: at } },
    change: { ...changeTo('escalate', alert.id, next), threshold: check.levels[level] ?? null },
  };
}

/** Since when a value is at each level: it enters at the threshold and leaves where the hysteresis says. */
function sinceOf(
  name: CheckName,
  { levels, hysteresis }: EffectiveCheck,
  before: Tracker['since'],
  value: number,
  at: number,
): Tracker['since'] {
  const since: Tracker['since'] = {};
  for (const level of levelOrder) {
    const threshold = levels[level];
    if (threshold === undefined) continue;
    const begun = before[level];
    if (begun !== undefined && passes(checkOf(name), value, threshold, hysteresis)) since[level] = begun;
    else if (passes(checkOf(name), value, threshold)) since[level] = at;
  }
  return since;
}
