import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PERIODS, type Period } from '../../../shared/backup/retention/calendar.ts';
import { explainRetention, type RetainedBackup } from '../../../shared/backup/retention/explain.ts';
import type { RetentionPolicy } from '../../../shared/backup/retention/policy.ts';
import { DAY_MS } from '../../../shared/time.ts';
import { policyOf, takenAt } from './support.ts';

const HOUR_MS = 3_600_000;
const START = Date.UTC(2025, 9, 1);

const zones = fc.constantFrom(
  'UTC',
  'Europe/Vienna',
  'America/New_York',
  'Asia/Kathmandu',
  'Pacific/Apia',
  'America/Havana',
);
const policies = fc
  .record({
    days: fc.integer({ min: 1, max: 40 }),
    daily: fc.integer({ min: 0, max: 10 }),
    weekly: fc.integer({ min: 0, max: 6 }),
    monthly: fc.integer({ min: 0, max: 6 }),
    yearly: fc.integer({ min: 0, max: 3 }),
    timeZone: zones,
  })
  .map(policyOf);
/** Hours from the start at which backups are taken, over some years, several on one day at times. */
const hours = fc.uniqueArray(fc.integer({ min: 0, max: 20_000 }), { minLength: 1, maxLength: 60 });
const history = hours.map((all) =>
  all.sort((a, b) => a - b).map((hour, index) => takenAt(START + hour * HOUR_MS, `b${String(index).padStart(3, '0')}`)),
);
/** The same with backups that need earlier ones, and of several types and states. */
const tangled = fc.tuple(history, fc.array(fc.nat(), { minLength: 60, maxLength: 60 })).map(([backups, choices]) =>
  backups.map((backup, index): RetainedBackup => {
    const choice = choices[index] ?? 0;
    const needed = backups[choice % Math.max(1, index)];
    return {
      ...backup,
      backup_type: choice % 5 === 0 ? 'schema' : 'full',
      status: choice % 11 === 0 ? 'failed' : choice % 13 === 0 ? 'running' : choice % 7 === 0 ? 'damaged' : 'available',
      depends_on: needed && index > 0 && choice % 3 === 0 ? [needed.id] : [],
      readers: choice % 17 === 0 ? ['job'] : [],
    };
  }),
);
const after = fc.integer({ min: 0, max: 400 * 24 });
const endOf = (backups: readonly RetainedBackup[]) =>
  Math.max(...backups.map(({ created_at }) => Date.parse(created_at)));

function keptIds(backups: readonly RetainedBackup[], policy: RetentionPolicy, now: number): string[] {
  return [...explainRetention(backups, policy, now)].filter(([, { kept_by }]) => kept_by.length > 0).map(([id]) => id);
}

/** The name of the local day, week, month or year, by another way than the product's: text that Intl writes. */
function periodName(period: Period, at: number, timeZone: string): string {
  const day = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short' }).format(at);
  if (period === 'daily') return day;
  if (period === 'monthly') return day.slice(0, 7);
  if (period === 'yearly') return day.slice(0, 4);
  // The Monday on or before it.
  const date = new Date(`${day}T12:00:00Z`);
  date.setUTCDate(date.getUTCDate() - ((date.getUTCDay() + 6) % 7));
  return date.toISOString().slice(0, 10);
}

test('kept is what a plain reading of the rules keeps', () => {
  fc.assert(
    fc.property(history, policies, after, (backups, policy, hoursAfter) => {
      const now = endOf(backups) + hoursAfter * HOUR_MS;
      const expected = new Set([backups.at(-1)?.id]);
      for (const { id, created_at } of backups) {
        if (now - Date.parse(created_at) < policy.days * DAY_MS) expected.add(id);
      }
      for (const period of PERIODS) {
        const firsts = new Map<string, string>();
        for (const { id, created_at } of backups) {
          const name = periodName(period, Date.parse(created_at), policy.timeZone);
          if (!firsts.has(name)) firsts.set(name, id);
        }
        const latest = [...firsts.values()].reverse().slice(0, policy[period]);
        for (const id of latest) expected.add(id);
      }
      expect(keptIds(backups, policy, now)).toEqual(backups.map(({ id }) => id).filter((id) => expected.has(id)));
    }),
  );
});

test('the newest complete full backup is kept, whatever the policy and however long ago it was', () => {
  fc.assert(
    fc.property(tangled, policies, after, (backups, policy, hoursAfter) => {
      const newest = backups.filter((each) => each.status === 'available' && each.backup_type === 'full').at(-1);
      fc.pre(newest !== undefined);
      expect(keptIds(backups, policy, endOf(backups) + hoursAfter * 24 * HOUR_MS)).toContain(newest?.id);
    }),
  );
});

test('what is needed by anything that is kept, is kept', () => {
  fc.assert(
    fc.property(tangled, policies, after, (backups, policy, hoursAfter) => {
      const kept = new Set(keptIds(backups, policy, endOf(backups) + hoursAfter * HOUR_MS));
      for (const { id, status, depends_on } of backups) {
        if (!kept.has(id) || status === 'failed') continue;
        for (const needed of depends_on) expect(kept, `${id} needs ${needed}`).toContain(needed);
      }
    }),
  );
});

test('removing a little every day comes to the same as removing all at the end', () => {
  fc.assert(
    fc.property(history, policies, fc.integer({ min: 1, max: 30 }), (backups, policy, every) => {
      const end = endOf(backups) + 60 * DAY_MS;
      let left: RetainedBackup[] = [];
      for (let now = START; now < end; now += every * DAY_MS) {
        const before = now - every * DAY_MS;
        left.push(
          ...backups.filter(({ created_at }) => Date.parse(created_at) > before && Date.parse(created_at) <= now),
        );
        const kept = new Set(keptIds(left, policy, now));
        left = left.filter(({ id }) => kept.has(id));
      }
      expect(keptIds(left, policy, end)).toEqual(keptIds(backups, policy, end));
    }),
    { numRuns: 40 },
  );
});

test('until the time that a rule names, it keeps its backup, whatever backups follow', () => {
  fc.assert(
    fc.property(history, policies, fc.integer({ min: 1, max: 700 * 24 }), (backups, policy, split) => {
      const now = START + split * HOUR_MS;
      const known = backups.filter(({ created_at }) => Date.parse(created_at) <= now);
      fc.pre(known.length > 0);
      const said = explainRetention(known, policy, now);
      for (const at of backups.map(({ created_at }) => Date.parse(created_at)).filter((moment) => moment > now)) {
        const then = new Set(
          keptIds(
            backups.filter(({ created_at }) => Date.parse(created_at) <= at),
            policy,
            at,
          ),
        );
        for (const [id, { kept_by }] of said) {
          const promised = kept_by.some(({ until }) => until !== null && Date.parse(until) > at);
          if (promised) expect(then, `${id} at ${new Date(at).toISOString()}`).toContain(id);
        }
      }
    }),
    { numRuns: 60 },
  );
});

test('a policy that asks for more never keeps less', () => {
  const rules = ['days', ...PERIODS] as const;
  fc.assert(
    fc.property(tangled, policies, fc.constantFrom(...rules), after, (backups, policy, rule, hoursAfter) => {
      const now = endOf(backups) + hoursAfter * HOUR_MS;
      const more = new Set(keptIds(backups, { ...policy, [rule]: policy[rule] + 1 }, now));
      for (const id of keptIds(backups, policy, now)) expect(more).toContain(id);
    }),
  );
});
