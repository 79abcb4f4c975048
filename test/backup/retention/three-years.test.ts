import { describe, expect, test } from 'vitest';
import { explainRetention, type RetainedBackup } from '../../../shared/backup/retention/explain.ts';
import type { RetentionPolicy } from '../../../shared/backup/retention/policy.ts';
import { DAY_MS } from '../../../shared/time.ts';
import { policyOf, takenAt } from './support.ts';

const HOUR_MS = 3_600_000;
/** Three years with a 29 February and six changes of the clocks, in Vienna. */
const FIRST = Date.UTC(2027, 0, 1);
const LAST = Date.UTC(2030, 0, 1);

/** What has happened to a backup besides what retention sees. */
interface Planned {
  backup: RetainedBackup;
  /** When somebody finds it damaged, if ever. */
  foundAt: number | null;
}

/** Small, seeded numbers: the same history each time. */
function dice(seed: number): (sides: number) => number {
  let state = seed;
  return (sides) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return Math.floor((state / 0x80000000) * sides);
  };
}

/** A full backup each night, changes every six hours, definitions each week; some of them fail, are found damaged, or are locked. */
function threeYears(seed: number, skewMs: number): Planned[] {
  const roll = dice(seed);
  const planned: Planned[] = [];
  let base: string | null = null;
  for (let at = FIRST; at < LAST; at += 6 * HOUR_MS) {
    const day = Math.floor(at / DAY_MS);
    const isNight = at % DAY_MS === 0;
    const id = `bkp-${String(planned.length).padStart(5, '0')}`;
    const fails = roll(15) === 0;
    const type = isNight ? (day % 7 === 0 && roll(3) === 0 ? 'schema' : 'full') : 'incremental';
    if (type === 'incremental' && base === null) continue;
    const took = (1 + roll(50)) * 60_000;
    planned.push({
      foundAt: !fails && roll(9) === 0 ? at + (1 + roll(60)) * DAY_MS : null,
      backup: takenAt(at, id, {
        backup_type: type,
        status: fails ? 'failed' : 'available',
        // The database's clock is apart from S3's, which says when it was stored.
        snapshot_at: fails ? null : new Date(at + skewMs).toISOString(),
        ended_at: new Date(at + took).toISOString(),
        stored_at: fails ? null : new Date(at + took).toISOString(),
        locked_until: !fails && roll(20) === 0 ? new Date(at + took + 40 * DAY_MS).toISOString() : null,
        depends_on: type === 'incremental' && base !== null ? [base] : [],
      }),
    });
    if (type === 'full' && !fails) base = id;
  }
  return planned;
}

const formats = new Map<string, Intl.DateTimeFormat>();
const days = new Map<number, string>();
/** The day by the calendar in Vienna. */
function localDay(at: number, timeZone: string): string {
  const format = formats.get(timeZone) ?? new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short' });
  formats.set(timeZone, format);
  const day = days.get(at) ?? format.format(at);
  days.set(at, day);
  return day;
}

/** The rules of docs/retention.md, read plainly, by other means than the product's. */
function oracle(backups: readonly RetainedBackup[], policy: RetentionPolicy, now: number): Set<string> {
  const kept = new Set<string>();
  const storedAt = ({ stored_at, ended_at }: RetainedBackup) => Date.parse(stored_at ?? ended_at ?? '');
  for (const backup of backups) {
    if (now - storedAt(backup) < policy.days * DAY_MS) kept.add(backup.id);
    if (backup.locked_until !== null && Date.parse(backup.locked_until) > now) kept.add(backup.id);
  }
  const good = backups.filter(({ status }) => status === 'available');
  for (const type of ['full', 'schema', 'incremental']) {
    const alike = good
      .filter(({ backup_type }) => backup_type === type)
      .map((backup) => ({ backup, taken: Math.min(Date.parse(backup.snapshot_at ?? ''), storedAt(backup)) }))
      .sort((a, b) => a.taken - b.taken);
    const nameOf = {
      daily: (day: string) => day,
      weekly: (day: string) => {
        const date = new Date(`${day}T00:00:00Z`);
        while (date.getUTCDay() !== 1) date.setUTCDate(date.getUTCDate() - 1);
        return date.toISOString();
      },
      monthly: (day: string) => day.slice(0, 7),
      yearly: (day: string) => day.slice(0, 4),
    };
    for (const [period, name] of Object.entries(nameOf)) {
      const firsts = new Map<string, string>();
      for (const { backup, taken } of alike) {
        const key = name(localDay(taken, policy.timeZone));
        if (!firsts.has(key)) firsts.set(key, backup.id);
      }
      const count = policy[period as keyof typeof nameOf];
      for (const id of count > 0 ? [...firsts.values()].slice(-count) : []) kept.add(id);
    }
  }
  const newest = newestGood(backups);
  if (newest) kept.add(newest.id);
  for (let before = -1; before !== kept.size; ) {
    before = kept.size;
    for (const { id, status, depends_on } of backups) {
      if (kept.has(id) && status !== 'failed') for (const needed of depends_on) kept.add(needed);
    }
  }
  return new Set(backups.map(({ id }) => id).filter((id) => kept.has(id)));
}

/** As far as is known. */
function newestGood(backups: readonly RetainedBackup[]): RetainedBackup | undefined {
  return backups
    .filter(({ status, backup_type }) => status === 'available' && backup_type === 'full')
    .sort((a, b) => Date.parse(a.stored_at ?? '') - Date.parse(b.stored_at ?? ''))
    .at(-1);
}

const policy = policyOf({ days: 10, daily: 14, weekly: 6, monthly: 8, yearly: 2, timeZone: 'Europe/Vienna' });

describe.each([
  ['right', 0],
  ['a minute behind', -60_000],
  ['three hours ahead', 3 * HOUR_MS],
  ['a day behind', -DAY_MS],
  ['a day ahead', DAY_MS],
] as const)('over three years of backups, with the clock of the database %s', (_name, skewMs) => {
  test('each day keeps what a plain reading of the rules keeps, and the newest good full backup', () => {
    let left: RetainedBackup[] = [];
    const coming = threeYears(20_271, skewMs);
    const found = new Map(coming.map(({ backup: { id }, foundAt }) => [id, foundAt]));
    let next = 0;
    let damaged = 0;
    for (let now = FIRST + 3 * HOUR_MS; now < LAST; now += DAY_MS) {
      while (Date.parse(coming[next]?.backup.ended_at ?? '9999') <= now) {
        left.push((coming[next] as Planned).backup);
        next += 1;
      }

      left = left.map((backup) => {
        const foundAt = found.get(backup.id);
        if (backup.status !== 'available' || typeof foundAt !== 'number' || foundAt > now) return backup;
        damaged += 1;
        return { ...backup, status: 'damaged' };
      });
      const explained = explainRetention(left, policy, now);
      const kept = left.filter(({ id }) => (explained.get(id)?.kept_by.length ?? 0) > 0);
      expect(new Set(kept.map(({ id }) => id)), new Date(now).toISOString()).toEqual(oracle(left, policy, now));
      expect(kept.map(({ id }) => id)).toContain(newestGood(left)?.id);
      left = kept;
    }
    expect(damaged).toBeGreaterThan(100);
  });
});
