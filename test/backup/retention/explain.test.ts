import { describe, expect, test } from 'vitest';
import { explainRetention, type RetainedBackup } from '../../../shared/backup/retention/explain.ts';
import type { RetentionPolicy } from '../../../shared/backup/retention/policy.ts';
import { policyOf, takenAt } from './support.ts';

/** Per backup, its reasons as `rule period/by until`; `-` for one that may be removed. */
function explained(backups: RetainedBackup[], policy: RetentionPolicy, now: string): Record<string, string> {
  const answer = explainRetention(backups, policy, Date.parse(now));
  return Object.fromEntries(
    [...answer].map(([id, { kept_by }]) => [
      id,
      kept_by.map(({ rule, period, by, until }) => [rule, period ?? by, until].filter(Boolean).join(' ')).join(', ') ||
        '-',
    ]),
  );
}

describe('a calendar worked out by hand', () => {
  /*
   * Vienna, 2026. Clocks go from 02:00 CET to 03:00 CEST on Sunday 29 March, and back on Sunday 25 October. Weeks 13 and 14 meet
   * at midnight from 29 to 30 March, which is 22:00 UTC; at the year's end, 2026-W53 goes from 28 December to 3 January.
   */
  const vienna = { timeZone: 'Europe/Vienna' };
  const march = [
    takenAt('2026-03-27T22:59:00Z', 'fri 23:59'),
    takenAt('2026-03-27T23:00:00Z', 'sat 00:00'),
    takenAt('2026-03-28T22:59:00Z', 'sat 23:59'),
    takenAt('2026-03-28T23:00:00Z', 'sun 00:00'),
    takenAt('2026-03-29T21:59:00Z', 'sun 23:59'),
    takenAt('2026-03-29T22:00:00Z', 'mon 00:00'),
  ];

  test('days begin at midnight by the clock, on the day of 23 hours too', () => {
    expect(explained(march, policyOf({ ...vienna, daily: 3 }), '2026-03-31T10:00:00Z')).toEqual({
      'fri 23:59': '-',
      // The next backup, on Tuesday, is the first that can take Saturday's place.
      'sat 00:00': 'daily 2026-03-28 2026-03-31T10:00:00.000Z',
      'sat 23:59': '-',
      'sun 00:00': 'daily 2026-03-29 2026-03-31T22:00:00.000Z',
      'sun 23:59': '-',
      'mon 00:00': 'daily 2026-03-30 2026-04-01T22:00:00.000Z, newest_full',
    });
  });

  test('weeks begin on Monday', () => {
    expect(explained(march, policyOf({ ...vienna, weekly: 2 }), '2026-03-31T10:00:00Z')).toEqual({
      'fri 23:59': 'weekly 2026-W13 2026-04-05T22:00:00.000Z',
      'sat 00:00': '-',
      'sat 23:59': '-',
      'sun 00:00': '-',
      'sun 23:59': '-',
      'mon 00:00': 'weekly 2026-W14 2026-04-12T22:00:00.000Z, newest_full',
    });
  });

  test('months and years begin by the clock, and a week belongs to the year of its Thursday', () => {
    const ends = [
      takenAt('2026-10-31T22:59:00Z', '31 oct 23:59'),
      takenAt('2026-10-31T23:00:00Z', '1 nov 00:00'),
      takenAt('2026-12-31T22:59:00Z', '31 dec 23:59'),
      takenAt('2026-12-31T23:00:00Z', '1 jan 00:00'),
      takenAt('2027-01-03T23:00:00Z', '4 jan 00:00'),
    ];
    const policy = policyOf({ ...vienna, weekly: 2, monthly: 3, yearly: 2 });
    expect(explained(ends, policy, '2027-01-10T12:00:00Z')).toEqual({
      '31 oct 23:59': 'yearly 2026 2027-12-31T23:00:00.000Z',
      '1 nov 00:00': 'monthly 2026-11 2027-01-31T23:00:00.000Z',
      '31 dec 23:59': 'weekly 2026-W53 2027-01-10T23:00:00.000Z, monthly 2026-12 2027-02-28T23:00:00.000Z',
      '1 jan 00:00': 'monthly 2027-01 2027-03-31T22:00:00.000Z, yearly 2027 2028-12-31T23:00:00.000Z',
      '4 jan 00:00': 'weekly 2027-W01 2027-01-17T23:00:00.000Z, newest_full',
    });
  });

  test('where clocks change at midnight, the day begins at one; a skipped day has none', () => {
    const havana = policyOf({ daily: 2, timeZone: 'America/Havana' });
    // On 8 March 2026 00:00 CST is followed by 01:00 CDT, at 05:00 UTC.
    const backups = [takenAt('2026-03-08T04:59:00Z', 'before'), takenAt('2026-03-08T05:00:00Z', 'after')];
    expect(explained(backups, havana, '2026-03-10T05:00:00Z')).toEqual({
      before: 'daily 2026-03-07 2026-03-10T05:00:00.000Z',
      after: 'daily 2026-03-08 2026-03-11T04:00:00.000Z, newest_full',
    });
    // Samoa went from Thursday 29 to Saturday 31 December 2011, at 10:00 UTC.
    const samoa = [takenAt('2011-12-30T09:59:00Z', 'thursday'), takenAt('2011-12-30T10:00:00Z', 'saturday')];
    expect(explained(samoa, policyOf({ daily: 2, timeZone: 'Pacific/Apia' }), '2011-12-31T11:00:00Z')).toEqual({
      thursday: 'daily 2011-12-29 2011-12-31T11:00:00.000Z',
      saturday: 'daily 2011-12-31 2012-01-01T10:00:00.000Z, newest_full',
    });
  });
});

describe('the rules', () => {
  const now = '2026-06-15T12:00:00Z';

  test('a backup is kept when any of them keeps it, each says until when, and the last one counts', () => {
    const policy = policyOf({ days: 5, weekly: 3 });
    const answer = explainRetention([takenAt('2026-06-14T00:00:00Z', 'a')], policy, Date.parse(now));
    expect(answer.get('a')).toEqual({
      kept_by: [
        { rule: 'days', period: null, by: null, until: '2026-06-19T00:00:00.000Z' },
        { rule: 'weekly', period: '2026-W24', by: null, until: '2026-06-29T00:00:00.000Z' },
        { rule: 'newest_full', period: null, by: null, until: null },
      ],
      expires_at: null,
    });
  });

  test('what none keeps says since when', () => {
    const backups = [takenAt('2026-06-01T00:00:00Z', 'old'), takenAt('2026-06-15T00:00:00Z', 'new')];
    const answer = explainRetention(backups, policyOf({ days: 2 }), Date.parse(now));
    expect(answer.get('old')).toEqual({ kept_by: [], expires_at: '2026-06-03T00:00:00.000Z' });
  });

  test('counts go by periods with a backup: nothing is lost when backups stop', () => {
    const weekly = ['2025-01-06', '2025-01-13', '2025-01-20'].map((day) => takenAt(`${day}T02:00:00Z`, day));
    expect(explained(weekly, policyOf({ weekly: 2 }), now)).toEqual({
      '2025-01-06': '-',
      '2025-01-13': `weekly 2025-W03 ${new Date(now).toISOString()}`,
      '2025-01-20': 'weekly 2025-W04 2026-06-22T00:00:00.000Z, newest_full',
    });
  });

  test('each type and selection counts for itself, and only a complete full backup is the newest full one', () => {
    const backups = [
      takenAt('2026-06-08T00:00:00Z', 'full'),
      takenAt('2026-06-08T01:00:00Z', 'schema', { backup_type: 'schema' }),
      takenAt('2026-06-08T02:00:00Z', 'some', { include: ['sales.*'] }),
      takenAt('2026-06-08T03:00:00Z', 'others', { exclude: ['sales.*'] }),
      takenAt('2026-06-08T04:00:00Z', 'second'),
      takenAt('2026-06-08T05:00:00Z', 'failed', { status: 'failed' }),
      takenAt('2026-06-08T06:00:00Z', 'masked', { masked: true }),
      takenAt('2026-06-08T07:00:00Z', 'sampled', { sample: { percent: 5, tables: ['sales.orders'] } }),
    ];
    const found = explained(backups, policyOf({ daily: 1 }), now);
    for (const id of ['full', 'schema', 'some', 'others', 'masked', 'sampled'])
      expect(found[id], id).toMatch(/^daily 2026-06-08/);
    expect([found.second, found.failed]).toEqual(['newest_full', '-']);
  });

  test('a failed backup is listed as long as another, one that is being deleted is kept by nothing', () => {
    const backups = [
      takenAt('2026-06-15T00:00:00Z', 'failed', { status: 'failed', snapshot_at: null, stored_at: null }),
      takenAt('2026-06-15T00:00:00Z', 'deleting', { status: 'deleting' }),
    ];
    expect(explained(backups, policyOf({ daily: 5 }), now)).toEqual({
      failed: 'days 2026-06-16T00:00:00.000Z',
      deleting: '-',
    });
  });

  test('jobs that make or read a backup keep it', () => {
    const backups = [
      takenAt('2025-01-01T00:00:00Z', 'read', { readers: ['job-1', 'job-2'] }),
      takenAt('2025-02-01T00:00:00Z', 'made', { status: 'running' }),
      takenAt('2026-06-15T00:00:00Z', 'new'),
    ];
    expect(explained(backups, policyOf(), now)).toMatchObject({
      read: 'job job-1, job job-2',
      made: 'job job of made',
    });
  });

  test('what is needed is kept as long as what needs it, over any number of steps', () => {
    const backups = [
      takenAt('2026-06-01T00:00:00Z', 'unneeded base'),
      takenAt('2026-06-01T00:00:00Z', 'unneeded', { depends_on: ['unneeded base'] }),
      takenAt('2026-06-02T00:00:00Z', 'base'),
      takenAt('2026-06-03T00:00:00Z', 'second', { depends_on: ['base'] }),
      takenAt('2026-06-15T00:00:00Z', 'third', { depends_on: ['second'], backup_type: 'data' }),
      takenAt('2026-06-04T00:00:00Z', 'base of a running one'),
      takenAt('2026-06-15T00:00:00Z', 'running', { depends_on: ['base of a running one'], status: 'running' }),
      takenAt('2026-06-05T00:00:00Z', 'base of a failed one'),
      takenAt('2026-06-15T00:00:00Z', 'failed', { depends_on: ['base of a failed one'], status: 'failed' }),
      takenAt('2026-06-15T00:00:00Z', 'newest'),
    ];
    expect(explained(backups, policyOf(), now)).toMatchObject({
      'unneeded base': '-',
      unneeded: '-',
      base: 'needed_by second 2026-06-16T00:00:00.000Z',
      second: 'needed_by third 2026-06-16T00:00:00.000Z',
      third: 'days 2026-06-16T00:00:00.000Z',
      'base of a running one': 'needed_by running',
      'base of a failed one': '-',
    });
  });

  test('a lock of S3 keeps it; one that is not recorded yet is reckoned from the configuration', () => {
    const backups = [
      takenAt('2026-06-01T00:00:00Z', 'locked', { locked_until: '2026-06-16T00:00:00.000Z' }),
      takenAt('2026-06-01T00:00:00Z', 'unlocked', { locked_until: '2026-06-15T00:00:00.000Z' }),
      takenAt('2026-06-08T00:00:00Z', 'unknown', { stored_at: null }),
      takenAt('2026-06-08T00:00:00Z', 'known not to be', { locked_until: null }),
      takenAt('2026-06-15T00:00:00Z', 'newest'),
    ];
    expect(explained(backups, policyOf({ lockDays: 10 }), now)).toMatchObject({
      locked: 'object_lock 2026-06-16T00:00:00.000Z',
      unlocked: '-',
      unknown: 'object_lock 2026-06-18T00:00:00.000Z',
      'known not to be': '-',
    });
  });
});

describe('clocks that are wrong', () => {
  const now = '2026-06-15T12:00:00Z';

  test('a database whose clock is behind does not make its backups old', () => {
    const backups = [
      takenAt('2026-06-15T00:00:00Z', 'behind', { snapshot_at: '2020-01-01T00:00:00.000Z', backup_type: 'schema' }),
      takenAt('2026-06-15T00:00:00Z', 'newest'),
    ];
    expect(explained(backups, policyOf(), now).behind).toBe('days 2026-06-16T00:00:00.000Z');
  });

  test('a database whose clock was ahead does not make its backup the newest for ever', () => {
    const backups = [
      takenAt('2026-05-01T00:00:00Z', 'ahead', { snapshot_at: '2050-01-01T00:00:00.000Z' }),
      takenAt('2026-05-08T00:00:00Z', 'newest'),
    ];
    expect(explained(backups, policyOf({ weekly: 1 }), now)).toEqual({
      ahead: '-',
      newest: expect.stringMatching(/^weekly 2026-W19 .*, newest_full$/),
    });
  });

  test("a function's clock that is behind does not count where S3 has said when the backup was stored", () => {
    const times = { created_at: '2020-01-01T00:00:00.000Z', ended_at: '2020-01-01T00:10:00.000Z' };
    const backups = [
      takenAt('2026-06-15T00:00:00Z', 'behind', { ...times, backup_type: 'schema' }),
      takenAt('2026-06-15T01:00:00Z', 'newest'),
    ];
    expect(explained(backups, policyOf(), now).behind).toBe('days 2026-06-16T00:00:00.000Z');
  });
});
