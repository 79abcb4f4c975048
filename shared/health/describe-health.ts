import type { Database } from '../configuration/runtime.ts';
import type { DoctorReport } from '../contract/schemas/doctor.ts';
import type { Check, Health, Level } from '../contract/schemas/health.ts';
import { type CheckName, checkNames, checkOf } from './checks.ts';
import { doctorHealth } from './doctor-health.ts';
import { type EffectiveCheck, levelOfValue } from './effective-check.ts';
import { compareLevels, levelOrder } from './levels.ts';
import { type MetricValues, metricNames, metricOf, sourceOf } from './metrics.ts';
import { detailsReadAt } from './sample/read-details.ts';
import type { WatchState } from './sample-store.ts';

/** What is known of a check beyond its value: since when it is bad, and its alert. */
export type Standings = Partial<
  Record<CheckName, { since: Partial<Record<Level, number>>; alert: { id: string } | null }>
>;

export interface HealthContext {
  database: Pick<Database, 'id' | 'kind' | 'direct'>;
  checks: Readonly<Record<CheckName, EffectiveCheck>>;
  standings: Standings;
  intervalSeconds: number;
  /** Why no sample is fresh although one was asked for. */
  unsampled?: string | null;
  /** The latest report of the doctor; null before the first. */
  doctor: DoctorReport | null;
}

/** A sample is fresh for so many intervals: one may be late, one may be missed. */
const FRESH_INTERVALS = 3;
/** EventBridge starts the sampler once a minute, and may be late with it. */
const LEAST_FRESH_SECONDS = 90;

/** Whether the latest sample is young enough to say how a database is. */
export function isFresh({ latest }: Pick<WatchState, 'latest'>, intervalSeconds: number, now = Date.now()): boolean {
  return latest !== null && now - latest.at <= Math.max(LEAST_FRESH_SECONDS, FRESH_INTERVALS * intervalSeconds) * 1000;
}

/** How a database is, by its latest sample. */
export function describeHealth(state: WatchState, context: HealthContext, now = Date.now()): Health {
  const { database, intervalSeconds } = context;
  const { latest, details, failures, unreachable, pooler } = state;
  const age = latest === null ? null : Math.max(0, (now - latest.at) / 1000);
  const fresh = isFresh(state, intervalSeconds, now);
  const detailsAt = details && detailsReadAt(details);
  // What the doctor found is known at once, and not with the next sample.
  const values = latest === null ? null : { ...latest.values, ...doctorHealth(context.doctor, now).values };
  const described = checkNames.map((name) => describeCheck(name, values, state, context));
  return {
    database: database.id,
    status: statusOf(described, { fresh, isDown: unreachable !== null }),
    sampled_at: latest && new Date(latest.at).toISOString(),
    age_seconds: age,
    fresh,
    interval_seconds: intervalSeconds,
    details_at: detailsAt === null ? null : new Date(detailsAt).toISOString(),
    unreachable,
    pooler: pooler && { ...pooler, jobs_go_directly: database.direct !== undefined },
    unsampled: fresh ? null : (context.unsampled ?? null),
    checks: described,
    metrics: metricNames.map((metric) => ({
      metric,
      title: metricOf(metric).title,
      value: values?.[metric] ?? null,
      unit: metricOf(metric).unit,
      source: sourceOf(metric, database),
    })),
    largest_tables: (details?.largestTables ?? []).map(({ name, number }) => ({ name, bytes: number })),
    sequences: (details?.sequences ?? []).map(({ name, number }) => ({ name, usage: number })),
    invalid_indexes: details?.invalidIndexes ?? [],
    doctor: context.doctor,
    unread: failures,
  };
}

function describeCheck(
  name: CheckName,
  values: MetricValues | null,
  { fits }: WatchState,
  context: HealthContext,
): Check {
  const { title, metric, whatToDo } = checkOf(name);
  const effective = context.checks[name];
  const standing = context.standings[name];
  const value = values?.[metric] ?? null;
  const level = value === null ? null : levelOfValue(name, effective, value);
  const first = levelOrder.find((each) => effective.levels[each] !== undefined);
  const shownLevel = level ?? first;
  const since = Math.min(...Object.values(standing?.since ?? {}));
  return {
    check: name,
    title,
    state: !effective.enabled ? 'off' : value === null ? 'unknown' : (level ?? 'ok'),
    value,
    unit: metricOf(metric).unit,
    source: sourceOf(metric, context.database),
    threshold: shownLevel === undefined ? null : (effective.levels[shownLevel] ?? null),
    confidence: fits[metric]?.confidence ?? null,
    since: Number.isFinite(since) ? new Date(since).toISOString() : null,
    what_to_do: whatToDo,
    alert_id: standing?.alert?.id ?? null,
  };
}

function statusOf(
  described: readonly Check[],
  { fresh, isDown }: { fresh: boolean; isDown: boolean },
): Health['status'] {
  if (!fresh) return 'unknown';
  if (isDown) return 'down';
  const levels = described.flatMap(({ state }) => levelOrder.filter((level) => level === state));
  const worst = levels.sort(compareLevels).at(-1);
  if (worst === 'CRITICAL') return 'critical';
  return worst === 'WARNING' || worst === 'ERROR' ? 'warning' : 'ok';
}
