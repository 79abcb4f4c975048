import { expect, test } from 'vitest';
import { recoveryChangeSchema } from '../../shared/contract/schemas/recovery.ts';
import { restoreCheckRequestSchema } from '../../shared/contract/schemas/restore.ts';

const fieldsOf = (result: { success: boolean; error?: { issues: { path: PropertyKey[] }[] } | undefined }): string[] =>
  (result.error?.issues ?? []).map(({ path }) => path.join('.'));

test.each([
  [{ enabled: true }, []],
  [{ enabled: false }, []],
  [{ status: 'on' }, []],
  [{ status: 'paused', for: 'upgrade' }, []],
  [{}, ['enabled']],
  [{ enabled: true, status: 'on' }, ['status']],
  [{ status: 'paused' }, ['for']],
  [{ status: 'off', for: 'upgrade' }, ['for']],
  [{ status: 'paused', for: 'a walk' }, ['for']],
])('PUT recovery names what is wrong with %j: %j', (body, wrong) => {
  expect(fieldsOf(recoveryChangeSchema.safeParse(body))).toEqual(wrong);
});

const backup_id = 'bkp-01JZ8Q4F7M3N5P6R8S9T0V1W2X';
const withCron = { leave_out: { extensions: ['pg_cron'] } };
const prepared = { expect: { extensions: ['postgis'], template: 'with_postgis' } };

test.each([
  [{ ...withCron, ...prepared }, []],
  [{ mode: 'data', ...withCron, ...prepared }, ['leave_out', 'expect']],
  [{ ...withCron, expect: { extensions: ['pg_cron'], template: 't' } }, ['expect.extensions']],
  [{ leave_out: { extensions: [] } }, ['leave_out.extensions']],
  [{ expect: { extensions: ['postgis'] } }, ['expect.template']],
])('a restore names what is wrong with %j: %j', (options, wrong) => {
  const body = { backup_id, target_database: 'copy', ...options };
  expect(fieldsOf(restoreCheckRequestSchema.safeParse(body))).toEqual(wrong);
});
