import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Readings } from '../../../shared/security/compliance/readings/sections.ts';
import { ruleIds, rules } from '../../../shared/security/compliance/registry.ts';
import { anyBinaries } from '../../support/postgres-binaries.ts';
import { breakableSince, breakages, judgedLater } from './support/breakages.ts';
import { acceptOn, managedPlaces, placesOf } from './support/managed-acceptance.ts';
import { ruleOf, World } from './support/world.ts';

let world: World;
beforeAll(async () => {
  world = await World.start();
});
afterAll(() => world?.end());

test('there are at least 60 rules, each with an id of its own and a way to break it', () => {
  expect(ruleIds.length).toBeGreaterThanOrEqual(60);
  expect(new Set(ruleIds).size).toBe(ruleIds.length);
  expect(Object.keys(breakages).sort()).toEqual([...ruleIds].sort());
});

test('every rule names at least one control beside those of CIS', () => {
  for (const { rule } of rules) {
    expect(Object.keys(rule.controls), rule.id).toEqual(
      expect.arrayContaining(['SOC 2', 'ISO 27001', 'GDPR', 'HIPAA', 'PCI DSS']),
    );
  }
});

const { version } = await anyBinaries();

test('a role of a server of your own is judged, though its name begins as those of AWS do', async () => {
  await world.sql('CREATE ROLE rds_reports', 'GRANT EXECUTE ON FUNCTION pg_catalog.pg_ls_dir(text) TO rds_reports');
  expect(await world.judge('file_functions')).toMatchObject({
    status: 'fail',
    found: expect.stringMatching(/rds_reports/),
  });
  await world.sql('DROP OWNED BY rds_reports', 'DROP ROLE rds_reports');
});

/** Rules whose commands the RDS API has taken, by the kind of server. */
const accepted = new Map<string, string[]>();
/** What the rule says of the same server under AWS is taken by its API, with what it allows and the restarts that it needs. */
async function acceptWhereManaged(id: string, readings: Readings, now: number): Promise<void> {
  for (const place of placesOf(ruleOf(id))) {
    const change = breakages[id]?.ofInstance ?? {};
    const { taken } = await acceptOn(world, place, ruleOf(id), { readings, now, change });
    if (taken > 0) accepted.set(place.name, [...(accepted.get(place.name) ?? []), id]);
  }
}

describe('broken, it fails, and what it says mends it:', () => {
  test.each(ruleIds.filter((id) => version >= (breakableSince[id] ?? 13)))('%s', async (id) => {
    const now = Date.now() + (judgedLater[id] ?? 0) * 86_400_000;
    await breakages[id]?.(world);
    const readings = await world.readings(now);
    const broken = world.judgeBy(readings, id, now);
    expect(broken).toMatchObject({ status: 'fail', found: expect.stringMatching(/./) });
    const { status } = await world.judgeAsStranger(id, now);
    expect(status, 'for who may read little').toMatch(/^(fail|unknown)$/);
    if (broken.status !== 'fail') return;
    await acceptWhereManaged(id, readings, now);
    expect(broken.mend.length).toBeGreaterThan(0);
    await world.mend(broken.mend);
    expect(await world.judge(id, now)).toMatchObject({ status: 'pass' });
  });
});

test('the functions that docs/logins/drills.sql creates are no finding, unless everybody may call them', async () => {
  const script = readFileSync(new URL('../../../docs/logins/drills.sql', import.meta.url), 'utf8');
  await world.sql('CREATE ROLE dbms');
  await world.sql(script);
  const failed = async () => {
    const ids = ['definer_superuser', 'definer_temporary_last', 'definer_public'] as const;
    const judged = await Promise.all(ids.map(async (id) => ({ id, ...(await world.judge(id, Date.now())) })));
    // Functions of the tests before are found as well.
    return judged.filter(({ found }) => found.includes('dbms_run.')).map(({ id }) => id);
  };
  expect(await failed()).toEqual([]);
  await world.sql('GRANT EXECUTE ON FUNCTION dbms_run.drop_login(text) TO PUBLIC');
  expect(await failed()).toContain('definer_public');
  await world.sql('DROP SCHEMA dbms_run CASCADE; DROP ROLE dbms');
});

test('commands of many rules were taken by the RDS API, and none was refused', () => {
  for (const { name, kind } of managedPlaces)
    expect(accepted.get(name)?.length, name).toBeGreaterThanOrEqual(kind === 'rds' ? 30 : 25);
});

describe('the report', () => {
  test('judges everything, scores by the levels, and keeps a trend of days', async () => {
    const day = Date.parse('2026-03-01T12:00:00Z');
    const first = await world.report(day);
    expect(first.rules.map(({ id }) => id)).toEqual(ruleIds);
    const weights = { low: 1, medium: 3, high: 6, critical: 10 };
    const sum = (...statuses: string[]) =>
      first.rules.filter(({ status }) => statuses.includes(status)).reduce((all, { level }) => all + weights[level], 0);
    expect(first.score).toBe(Math.floor((1000 * sum('pass')) / sum('pass', 'fail', 'unknown')) / 10);
    await world.sql('CREATE ROLE once_more SUPERUSER');
    const next = await world.report(day + 86_400_000);
    expect(next.score).toBeLessThan(first.score);
    expect(next.trend.map(({ at, score }) => [at.slice(0, 10), score])).toEqual([
      ['2026-03-02', next.score],
      ['2026-03-01', first.score],
    ]);
    expect(next.trend[0]?.failed).toContain('superusers');
    await world.sql('DROP ROLE once_more');
    expect((await world.report(day + 90_000_000)).trend).toHaveLength(2);
  });

  test('says of a server that cannot be reached that nothing of it is known', async () => {
    const report = await world.report(Date.now(), { ...world.target(), port: 1 });
    const unread = report.rules.filter(({ theme }) => theme === 'tls');
    expect(unread).not.toHaveLength(0);
    for (const { status, found } of unread)
      expect([status, found]).toEqual(['unknown', expect.stringMatching(/No connection/)]);
  });
});
