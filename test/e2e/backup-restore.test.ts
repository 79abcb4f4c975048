import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Job } from '../../shared/contract/schemas/job.ts';
import { databaseDifferences } from '../support/compare/compare.ts';
import { createEverything } from '../support/everything/create-everything.ts';
import { createNorthwind, northwindIsPresent } from '../support/northwind.ts';
import {
  createScratchDatabase,
  databaseOf,
  forEachServer,
  type ScratchDatabase,
  seenWhole,
  type TestServer,
  testedServers,
  withClient,
} from '../support/servers.ts';
import {
  accepted,
  call,
  endOf,
  followJob,
  getBackup,
  getJob,
  listBackups,
  problemOf,
  startBackup,
  startRestore,
  uniqueName,
} from './support/api.ts';
import { managed, openBucket, sessionsOn, startTestSystem, type TestSystem } from './support/system.ts';

const idOf = (kind: string, server: TestServer): string => `${kind}-${server.version}`;

/** By id. */
const databases = new Map<string, ScratchDatabase>();
let system: TestSystem;

beforeAll(async () => {
  for (const server of testedServers) {
    const everything = await createEverything(server);
    // A drill, whose login is no superuser, would not be complete with a table of an access method of its own.
    await withClient(server, everything.name, (client) => client.query('DROP TABLE IF EXISTS code.in_own_heap'));
    databases.set(idOf('everything', server), everything);
    if (northwindIsPresent) databases.set(idOf('northwind', server), await createNorthwind(server));
  }
  system = await startTestSystem({
    databases: [...databases].map(([id, { server, name }]) => managed(server, id, name)),
    schedules: false,
  });
});
afterAll(async () => {
  await system?.end();
  for (const database of databases.values()) await database.drop();
});

/** A job's answers in the order they came: forward only, never beyond what there is, and whole in the end. */
function expectSaneProgress(jobs: readonly Job[]): void {
  const order = ['queued', 'running', 'succeeded'];
  const states = jobs.map(({ status }) => order.indexOf(status));
  expect(states).toEqual([...states].sort());
  const reports = jobs.flatMap(({ progress }) => (progress ? [progress] : []));
  for (const field of ['tables', 'rows', 'bytes'] as const) {
    const done = reports.map((progress) => progress[field].done);
    expect(done).toEqual([...done].sort((a, b) => a - b));
    for (const { [field]: count } of reports) expect(count.done).toBeLessThanOrEqual(count.total ?? count.done);
    const last = reports.at(-1)?.[field];
    expect(last?.total).toBe(last?.done);
    expect(last?.total).toBeGreaterThan(0);
  }
  const times = reports.map(({ updated_at }) => updated_at);
  expect(times).toEqual([...times].sort());
}

/** What the login of the guide cannot restore on a managed server, where nobody is a superuser. */
const differencesOfNoSuperuser: { what: RegExp; before?: number }[] = [
  // Only superusers grant in the name of others: the owner does it.
  { what: /^dump of TABLE mine; Type: ACL;|^catalog of relation owned\.mine, acl: differs/ },
  // Who may not administer a role does not set its settings.
  { what: /^catalog of database itself, settings: differs: .*everything_reader statement_timeout=1min/ },
  // ALTER TYPE leaves the multirange of a range to its first owner.
  { what: /^catalog of type types\.\w+_multirange, (acl|owner): differs/, before: 17 },
];
const isOfNoSuperuser = (difference: string, { version }: TestServer): boolean =>
  differencesOfNoSuperuser.some(
    ({ what, before = Number.POSITIVE_INFINITY }) => version < before && what.test(difference),
  );
const warningsOfNoSuperuser = [
  'ACL owned.TABLE mine: permission denied to set session authorization "everything_grantor"',
  expect.stringMatching(/^Database property: permission denied.*: ALTER ROLE "everything_reader" IN DATABASE/),
];

forEachServer((server) => {
  describe.each([
    ['everything', true],
    [
      northwindIsPresent ? 'northwind' : 'northwind, which is left out as ../shared/data/northwind.sql is not there',
      northwindIsPresent,
    ],
  ])('%s', (kind, isThere) => {
    const id = idOf(kind, server);
    const target = uniqueName(`${kind} "restored"`);
    const restored = databaseOf(seenWhole(server), target);
    let backup = '';

    test.skipIf(!isThere)('is backed up, with progress, and listed', async () => {
      const started = await startBackup(system.current, id, 'before release 12');
      expect(started).toMatchObject({ kind: 'backup', database: id, target_database: null, error: null });
      const jobs = await followJob(system.current, started.id);
      const last = jobs[jobs.length - 1];
      expect(last).toMatchObject({ status: 'succeeded', error: null, warnings: [], backup_id: started.backup_id });
      expectSaneProgress(jobs);

      backup = started.backup_id ?? '';
      const shown = await getBackup(system.current, backup);
      expect(shown).toMatchObject({
        database: id,
        status: 'available',
        backup_type: 'full',
        custom_name: 'before release 12',
        job_id: started.id,
        error: null,
        progress: null,
      });
      expect(Math.floor((shown.server_version ?? 0) / 10_000)).toBe(server.version);
      expect([shown.tables, shown.rows, shown.bytes]).toEqual([
        last?.progress?.tables.done,
        last?.progress?.rows.done,
        last?.progress?.bytes.done,
      ]);
      expect(await listBackups(system.current, id)).toEqual([shown]);
      const bucket = await openBucket(system.current);
      expect(await bucket.keys(`${id}/backups/${backup}/`)).toHaveLength(shown.objects ?? 0);
      expect(await bucket.unfinishedUploads()).toEqual([]);
      expect(await sessionsOn(server)).toEqual([]);
    });

    test.skipIf(!isThere)('is restored into a new database that equals it', async () => {
      const started = await startRestore(system.current, { database: id, backup, target });
      expect(started).toMatchObject({ kind: 'restore', backup_id: backup, target_database: target });
      try {
        const jobs = await followJob(system.current, started.id);
        expect(jobs[jobs.length - 1]).toMatchObject({ status: 'succeeded', error: null });
        expectSaneProgress(jobs);
        const source = databaseOf(seenWhole(server), databases.get(id)?.name ?? '');
        const differences = await databaseDifferences(source, restored);
        const told = jobs.at(-1)?.warnings;
        if (!server.managed) expect([differences, told]).toEqual([[], []]);
        else {
          expect(differences.filter((text) => !isOfNoSuperuser(text, server))).toEqual([]);
          if (kind === 'everything') expect(told).toEqual(warningsOfNoSuperuser);
        }
        expect(await sessionsOn(server)).toEqual([]);
      } finally {
        await restored.drop();
      }
    });

    test.skipIf(!isThere)('is validated by reading it, and by a drill that leaves nothing', async () => {
      const databasesOf = () =>
        withClient(server, 'postgres', async (client) => {
          const { rows } = await client.query('SELECT datname FROM pg_database ORDER BY 1');
          return rows.map(({ datname }) => datname);
        });
      const before = await databasesOf();
      for (const level of ['integrity', 'restore'] as const) {
        const started = accepted(
          await call(system.current, `/backups/${backup}/validate`, { as: 'operator', body: { level } }),
        );
        const jobs = await followJob(system.current, started.id);
        expect(jobs[jobs.length - 1]).toMatchObject({ kind: 'validation', status: 'succeeded', error: null });
        expectSaneProgress(jobs);
        const shown = await getBackup(system.current, backup);
        expect(shown.last_validation).toMatchObject({ job_id: started.id, level, outcome: 'passed', error: null });
        expect(shown.proven_at).toBe(level === 'restore' ? shown.last_drill?.ended_at : null);
      }
      expect(await databasesOf()).toEqual(before);
      expect(await sessionsOn(server)).toEqual([]);
    });

    test.skipIf(!isThere)('is not restored over a database that is there, which stays as it was', async () => {
      const other = await createScratchDatabase(server);
      try {
        await withClient(server, other.name, (client) =>
          client.query('CREATE TABLE precious AS SELECT generate_series(1, 10) AS n'),
        );
        const started = await startRestore(system.current, { database: id, backup, target: other.name });
        const { status, error } = await endOf(system.current, started.id);
        expect([status, error?.code]).toEqual(['failed', 'target_exists']);
        expect(error?.message).toContain(`"${other.name}" exists already`);
        expect(error?.next_step).toContain('target_database');
        const relations = await withClient(server, other.name, async (client) => {
          const { rows } = await client.query(
            `SELECT relname, (SELECT sum(n)::int FROM precious) AS sum FROM pg_class WHERE relnamespace = 'public'::regnamespace`,
          );
          return rows;
        });
        expect(relations).toEqual([{ relname: 'precious', sum: 55 }]);
        expect((await getBackup(system.current, backup)).status).toBe('available');
      } finally {
        await other.drop();
      }
    });

    test.skipIf(!isThere)('is forgotten with its objects when the backup is deleted', async () => {
      const remove = () => call(system.current, `/backups/${backup}`, { method: 'DELETE' });
      const removed = await remove();
      expect([removed.status, removed.text]).toEqual([204, '']);
      const bucket = await openBucket(system.current);
      expect(await bucket.keys(backup)).toEqual([]);
      expect(await listBackups(system.current, id)).toEqual([]);
      const shown = await call(system.current, `/backups/${backup}`);
      expect([shown.status, problemOf(shown).code]).toEqual([404, 'unknown_backup']);
      expect((await remove()).status).toBe(404);
      const body = { backup_id: backup, confirm: true, target_database: target };
      const restore = await call(system.current, `/restore?database=${id}`, { body });
      expect(problemOf(restore).errors?.map(({ field }) => field)).toEqual(['body.backup_id']);
      // What was done stays known.
      const { json } = await call(system.current, `/jobs?database=${id}`);
      expect(json.items.map((job: Job) => [job.kind, job.status])).toEqual([
        ['restore', 'failed'],
        ['validation', 'succeeded'],
        ['validation', 'succeeded'],
        ['restore', 'succeeded'],
        ['backup', 'succeeded'],
      ]);
      expect((await getJob(system.current, json.items[4].id)).backup_id).toBe(backup);
    });
  });
});
