import type { Backup } from '../../contract/schemas/backup.ts';
import type { Retention, RetentionReason } from '../../contract/schemas/retention.ts';
import { isComplete, isOfTheWhole, scopeName } from '../../state/backups.ts';
import { DAY_MS } from '../../time.ts';
import { firstDayOf, localDay, nameOf, PERIODS, type Period, periodOf, startOfDay } from './calendar.ts';
import type { RetentionPolicy } from './policy.ts';

/** What retention looks at. */
export interface RetainedBackup
  extends Pick<
    Backup,
    | 'id'
    | 'backup_type'
    | 'include'
    | 'exclude'
    | 'masked'
    | 'sample'
    | 'status'
    | 'job_id'
    | 'created_at'
    | 'snapshot_at'
    | 'ended_at'
    | 'stored_at'
    | 'locked_until'
    | 'depends_on'
  > {
  /** Jobs at work that read it. */
  readers: readonly string[];
}

/** A backup with the two moments that rules go by, in milliseconds since the epoch. */
interface Dated {
  backup: RetainedBackup;
  /** When it was complete, by S3's clock where that is known: its age counts from here. */
  stored: number;
  /** Whose state it holds. Told by the database's clock, so it is taken for no later than `stored`. */
  taken: number;
  /** The day on which that was, by the calendar in the time zone of the policy; see {@link localDay}. */
  day: number;
}

/**
 * Says of each backup of one database which rules keep it and until when. One that no rule keeps may be removed; so may all of them
 * together, as whatever is kept keeps what it needs.
 *
 * @param now - milliseconds since the epoch, by the clock that the ages go by: S3's
 */
export function explainRetention(
  backups: readonly RetainedBackup[],
  policy: RetentionPolicy,
  now: number,
): Map<string, Retention> {
  const dated = backups.map((backup) => dateOf(backup, policy));
  const available = dated.filter(({ backup }) => backup.status === 'available');
  const reasons = new Map<string, RetentionReason[]>();
  for (const { backup, stored } of dated) {
    reasons.set(backup.id, [
      ...byAge(backup, stored, policy, now),
      ...byUse(backup),
      ...byLock(backup, stored, policy, now),
    ]);
  }
  for (const alike of groupAlike(available)) {
    for (const period of PERIODS) {
      for (const [id, reason] of byCount(alike, period, policy, now)) reasons.get(id)?.push(reason);
    }
  }
  const newest = newestFull(available) ?? newestFull(dated.filter(({ backup }) => backup.status === 'damaged'));
  if (newest) reasons.get(newest.backup.id)?.push(reason('newest_full'));
  const lapsed = new Map(
    dated.map(({ backup, stored }) => [backup.id, new Date(stored + policy.days * DAY_MS).toISOString()]),
  );
  return withNeeds(backups, reasons, lapsed);
}

function dateOf(backup: RetainedBackup, { timeZone }: RetentionPolicy): Dated {
  const stored = Date.parse(backup.stored_at ?? backup.ended_at ?? backup.created_at);
  const taken = Math.min(Date.parse(backup.snapshot_at ?? backup.created_at), stored);
  return { backup, stored, taken, day: localDay(taken, timeZone) };
}

function reason(
  rule: RetentionReason['rule'],
  more: { period?: string; by?: string; until?: number } = {},
): RetentionReason {
  const until = more.until === undefined ? null : new Date(more.until).toISOString();
  return { rule, period: more.period ?? null, by: more.by ?? null, until };
}

/** Also for a failed backup: its entry says for as long what had happened. One marked as deleting is on its way out. */
function byAge({ status }: RetainedBackup, stored: number, { days }: RetentionPolicy, now: number): RetentionReason[] {
  const until = stored + days * DAY_MS;
  return (isComplete({ status }) || status === 'failed') && now < until ? [reason('days', { until })] : [];
}

function byUse({ status, job_id, readers }: RetainedBackup): RetentionReason[] {
  return [...(status === 'running' ? [job_id] : []), ...readers].map((by) => reason('job', { by }));
}

function byLock(
  { status, stored_at, locked_until }: RetainedBackup,
  stored: number,
  { lockDays }: RetentionPolicy,
  now: number,
): RetentionReason[] {
  if (!isComplete({ status })) return [];
  // Both are recorded together.
  const reckoned = stored_at === null && lockDays !== null ? stored + lockDays * DAY_MS : 0;
  const until = locked_until === null ? reckoned : Date.parse(locked_until);
  return now < until ? [reason('object_lock', { until })] : [];
}

/** Only backups of the same can stand for each other. */
function groupAlike(available: readonly Dated[]): Dated[][] {
  return [...Map.groupBy(available, ({ backup }) => scopeName(backup)).values()];
}

/** The first backup of each of the latest periods that have one: what stands for a period never changes again. */
function byCount(
  alike: readonly Dated[],
  period: Period,
  { [period]: count, timeZone }: RetentionPolicy,
  now: number,
): [string, RetentionReason][] {
  if (count === 0) return [];
  const first = new Map<number, Dated>();
  for (const each of alike) {
    const number = periodOf(period, each.day);
    const other = first.get(number);
    if (!other || isBefore(each, other)) first.set(number, each);
  }
  const latest = [...first].sort(([a], [b]) => b - a).slice(0, count);
  // The next backup that stands for a period can come in the current one, if that has none yet.
  const next = Math.max((latest[0]?.[0] ?? 0) + 1, periodOf(period, localDay(now, timeZone)));
  return latest.map(([number, { backup }], rank) => {
    const until = Math.max(now, startOfDay(firstDayOf(period, next + count - rank - 1), timeZone));
    return [backup.id, reason(period, { period: nameOf(period, number), until })];
  });
}

const isBefore = (a: Dated, b: Dated) => a.taken < b.taken || (a.taken === b.taken && a.backup.id < b.backup.id);

/**
 * By when it was stored, not by the database's clock: one that was once set ahead would keep the title. One that is known to be damaged
 * has it only where there is no other: what is left of it is the last there is.
 */
function newestFull(complete: readonly Dated[]): Dated | undefined {
  return complete
    .filter(({ backup }) => isOfTheWhole(backup))
    .reduce<Dated | undefined>(
      (best, each) =>
        best && (best.stored > each.stored || (best.stored === each.stored && best.backup.id > each.backup.id))
          ? best
          : each,
      undefined,
    );
}

/** Whatever is kept, or being made, keeps the backups that it depends on. */
function withNeeds(
  backups: readonly RetainedBackup[],
  own: ReadonlyMap<string, readonly RetentionReason[]>,
  lapsed: ReadonlyMap<string, string>,
): Map<string, Retention> {
  const dependents = new Map<string, string[]>();
  for (const { id, status, depends_on } of backups) {
    if (status !== 'running' && !isComplete({ status })) continue;
    for (const needed of depends_on) dependents.set(needed, [...(dependents.get(needed) ?? []), id]);
  }
  const known = new Map<string, Retention>();
  const open = new Set<string>();
  const settle = (id: string): Retention => {
    const settled = known.get(id);
    if (settled) return settled;
    open.add(id);
    const kept_by = [...(own.get(id) ?? [])];
    for (const by of dependents.get(id) ?? []) {
      // Two that need each other are not kept by that alone.
      if (open.has(by)) continue;
      const dependent = settle(by);
      if (dependent.kept_by.length > 0) {
        kept_by.push({ rule: 'needed_by', period: null, by, until: dependent.expires_at });
      }
    }
    const retention = {
      kept_by,
      expires_at: lastOf(kept_by) ?? (kept_by.length > 0 ? null : (lapsed.get(id) ?? null)),
    };
    open.delete(id);
    known.set(id, retention);
    return retention;
  };
  return new Map(backups.map(({ id }) => [id, settle(id)]));
}

/** When the last rule ends; null when there is none, or one of which nobody knows. */
function lastOf(reasons: readonly RetentionReason[]): string | null {
  const ends = reasons.map(({ until }) => until);
  return ends.includes(null) ? null : (ends.sort().at(-1) ?? null);
}
