import { expect, test } from 'vitest';
import { UnfinishedRestore } from '../../../shared/backup/restore/failure.ts';
import { RECORD_SCHEMA } from '../../../shared/backup/restore/restore-record.ts';
import { stagingName } from '../../../shared/backup/restore/target-database.ts';
import { newJobId } from '../../../shared/state/ids.ts';
import { databaseDifferences } from '../../support/compare/compare.ts';
import {
  createScratchDatabase,
  dropDatabase,
  forOneServer,
  type ScratchDatabase,
  type TestServer,
  withClient,
} from '../../support/servers.ts';
import { useBackupHarness } from '../support/harness.ts';
import { ask, unfinishedOf } from '../support/unfinished.ts';
import { watchedStore } from '../support/watched-store.ts';

const harness = useBackupHarness();
const APPLICATION = 'dbms resume test';

/** Tables whose rows fill several chunks, and an index that takes its time while it is built anew. */
async function slowlyRestored(server: TestServer, seconds = 0): Promise<ScratchDatabase> {
  const source = await createScratchDatabase(server);
  await withClient(server, source.name, (client) =>
    client.query(`
      CREATE FUNCTION slow(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$
       BEGIN
         IF current_database() LIKE 'dbms\\_restoring\\_%' AND $1 = 1 THEN PERFORM pg_sleep(${seconds}); END IF;
         RETURN $1;
       END $$;
      CREATE TABLE small (id int PRIMARY KEY);
      INSERT INTO small SELECT generate_series(1, 10);
      CREATE INDEX takes_its_time ON small (slow(id));
      CREATE TABLE large (id int, text text);
      INSERT INTO large SELECT i, repeat(md5(i::text), 30) FROM generate_series(1, 20000) i;
      CREATE TABLE larger (id int, text text);
      INSERT INTO larger SELECT i, repeat(md5(i::text), 30) FROM generate_series(1, 30000) i;
      SELECT lo_from_bytea(0, 'large object')`),
  );
  return source;
}

forOneServer((server) => {
  test('a restore goes on with the rows that were loaded when its session was ended', async () => {
    const source = await slowlyRestored(server);
    const manifest = await harness.backUp(source.target());
    const before = await unfinishedOf(server);
    const jobId = newJobId();
    const target = source.target({ applicationName: APPLICATION });
    const first = harness
      .restore(manifest, server, { jobId, target, request: { resumable: true }, settings: { connections: 4 } })
      .catch((error: unknown) => error);
    const staging = stagingName(jobId);
    const loaded = `SELECT item FROM ${RECORD_SCHEMA}.done WHERE item LIKE 'chunk %'`;
    await expect
      .poll(() => ask<{ item: string }>(server, staging, loaded).catch(() => []), { timeout: 120_000, interval: 5 })
      .not.toEqual([]);
    await ask(
      server,
      'postgres',
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${staging}' AND application_name = '${APPLICATION}'`,
    );
    const failure = await first;
    expect(failure).toBeInstanceOf(UnfinishedRestore);
    expect(failure).toMatchObject({ staging, cause: { code: 'connection_lost' } });

    const done = (await ask<{ item: string }>(server, staging, loaded)).map(({ item }) => item.slice('chunk '.length));
    const watched = watchedStore(harness.store);
    const restored = await harness.restore(manifest, server, { jobId, store: watched.store });
    const all = manifest.tables.flatMap(({ chunks }) => chunks.map(({ path }) => path));
    expect(watched.chunks().sort()).toEqual(all.filter((path) => !done.includes(path)).sort());
    expect(done.length).toBeGreaterThan(0);
    expect(await databaseDifferences(source, restored)).toEqual([]);
    expect(await unfinishedOf(server)).toEqual(before);
    await restored.drop();
    await source.drop();
  });

  test('an index that takes longer than an attempt is built once, and awaited by the next', async () => {
    const source = await slowlyRestored(server, 2);
    const manifest = await harness.backUp(source.target());
    const jobId = newJobId();
    const stop = new AbortController();
    const restore = (signal: AbortSignal) =>
      harness
        .restore(manifest, server, { jobId, signal, request: { resumable: true } })
        .catch((error: unknown) => error as UnfinishedRestore);
    const first = restore(stop.signal);
    const building = `SELECT pid, query_start::text AS since FROM pg_stat_activity
      WHERE datname = '${stagingName(jobId)}' AND query LIKE 'CREATE INDEX takes_its_time%' AND state = 'active' AND wait_event = 'PgSleep'`;
    const builds = () => ask<{ pid: number; since: string }>(server, 'postgres', building);
    await expect.poll(builds, { timeout: 120_000, interval: 10 }).toHaveLength(1);
    const build = await builds();
    stop.abort(new DOMException('The time is over', 'TimeoutError'));
    expect(await first).toBeInstanceOf(UnfinishedRestore);
    expect(await builds()).toEqual(build);

    const second = restore(AbortSignal.timeout(180_000));
    const seen = new Set<string>();
    const watching = setInterval(async () => {
      for (const { since } of await builds()) seen.add(since);
    }, 50);
    const restored = await second.finally(() => clearInterval(watching));
    expect(restored).not.toBeInstanceOf(Error);
    expect([...seen]).toEqual(build.map(({ since }) => since));
    const copy = restored as unknown as ScratchDatabase;
    expect(await databaseDifferences(source, copy)).toEqual([]);
    await copy.drop();
    await source.drop();
  });

  test('an unfinished database that nobody resumed is dropped by a later restore; others of its name are not', async () => {
    const source = await createScratchDatabase(server);
    const manifest = await harness.backUp(source.target());
    const before = await unfinishedOf(server);
    const kept = [stagingName(newJobId()), stagingName(newJobId())];
    const expired = stagingName(newJobId());
    for (const name of [...kept, expired]) await ask(server, 'postgres', `CREATE DATABASE ${name}`);
    const remark = (name: string, until: number) =>
      ask(
        server,
        'postgres',
        `COMMENT ON DATABASE ${name} IS 'Unfinished restore, to be resumed or dropped after ${new Date(until).toISOString()}'`,
      );
    await remark(kept[0] ?? '', Date.now() + 3_600_000);
    await remark(expired, Date.now() - 60_000);
    const restored = await harness.restore(manifest, server);
    expect(await unfinishedOf(server)).toEqual([...before, ...kept].sort());
    for (const name of kept) await dropDatabase(server, name);
    await restored.drop();
    await source.drop();
  });
});
