import { expect, test } from 'vitest';
import { schedulesSchema } from '../../shared/configuration/schedules.ts';
import { effectiveSchedules, samePlan, takesFullBackups } from '../../shared/schedules/effective.ts';

const effective = (schedules: object, changed = {}) =>
  effectiveSchedules(
    { databases: [{ id: 'shop' } as never], schedules: schedulesSchema.parse(schedules) },
    { database: 'shop', changed },
  );

test('types are masked as they are configured, and a change goes before it', () => {
  const found = effective({ data: '0 3 * * *', masked: ['data'] });
  expect(found.data.plan).toEqual({ cron: '0 3 * * *', time_zone: 'UTC', enabled: true, masked: true });
  expect(found.full.plan).not.toHaveProperty('masked');
  const by = { changed_by: 'alice', changed_at: '2026-01-01T00:00:00.000Z' };
  const plan = { cron: '0 3 * * *', time_zone: 'UTC', enabled: true };
  expect(effective({ data: '0 3 * * *', masked: ['data'] }, { data: { plan, ...by } }).data.plan).toEqual(plan);
  expect(samePlan(found.data.plan, plan)).toBe(false);
  expect(samePlan({ ...plan, masked: false }, plan)).toBe(true);
  expect(schedulesSchema.safeParse({ masked: ['schema'] }).success).toBe(false);
});

test('a masked full backup is not what a disaster asks for', () => {
  expect(takesFullBackups(effective({}))).toBe(true);
  expect(takesFullBackups(effective({ masked: ['full'] }))).toBe(false);
  expect(takesFullBackups(effective({ full: null }))).toBe(false);
});
