import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { noDetails, readDetails, readSessionGroups } from '../../shared/health/sample/read-details.ts';
import { takeReading } from '../../shared/health/sample/take-reading.ts';
import { createScratchDatabase, forEachServer, type ScratchDatabase } from '../support/servers.ts';

forEachServer((server) => {
  let database: ScratchDatabase;
  let client: pg.Client;
  beforeAll(async () => {
    database = await createScratchDatabase(server);
    client = await database.connect();
    await client.query('CREATE SCHEMA "odd schema"');
    await client.query('CREATE EXTENSION pg_stat_statements SCHEMA "odd schema"');
    await client.query(`CREATE TABLE numbers (id int PRIMARY KEY GENERATED ALWAYS AS IDENTITY, n int);
      INSERT INTO numbers (n) SELECT generate_series(1, 20000); ANALYZE numbers; DELETE FROM numbers;
      CREATE SEQUENCE short AS smallint; SELECT setval('short', 30000)`);
  });
  afterAll(async () => {
    await client?.end();
    await database?.drop();
  });
  const take = () => takeReading(client, { slowQuerySeconds: 1, poolLimit: 30 });

  test('a reading knows every one of its values, on this version', async () => {
    const { values, counters, statements, failures } = await take();
    expect(failures).toEqual([]);
    expect(values).toMatchObject({
      up: 1,
      samples_taken: 1,
      replicas: 0,
      blocked_sessions: 0,
      longest_blocked_seconds: 0,
    });
    const unknown = Object.entries(values).filter(([, value]) => typeof value !== 'number');
    // Nobody replicates.
    expect(unknown).toEqual([['replication_lag_seconds', null]]);
    for (const [name, value] of Object.entries(counters ?? {})) expect(value, name).toEqual(expect.any(Number));
    expect(statements?.size).toBeGreaterThan(3);
    expect(
      [...(statements?.values() ?? [])].every(({ calls, total, squares }) => calls > 0 && total >= 0 && squares >= 0),
    ).toBe(true);
  });

  test('details tell sizes, dead rows, sequences and indexes', async () => {
    const details = await readDetails(client, noDetails, { storageBytes: 1e12, everyMs: 0, budgetMs: 60_000 });
    expect(details.failures).toEqual([]);
    expect(details.values).toMatchObject({
      database_bytes: expect.any(Number),
      dead_rows: expect.any(Number),
      oldest_vacuum_seconds: expect.any(Number),
      oldest_analyze_seconds: expect.any(Number),
      invalid_indexes: 0,
      // Plain text.
      certificate_days: null,
    });
    expect(details.values.sequence_usage).toBeCloseTo((30_000 - 1) / (32_767 - 1), 5);
    expect(details.sequences[0]?.name).toBe('public.short');
    expect(details.largestTables[0]?.name).toBe('public.numbers');
    expect(details.values.disk_usage).toBeGreaterThan(0);
    expect((details.values.disk_usage ?? 0) * 1e12 + (details.values.disk_free_bytes ?? 0)).toBeCloseTo(1e12, -1);
  });

  test('details wait for the next sample when a sample has taken long enough, and are not read before they are due', async () => {
    const options = { storageBytes: null, everyMs: 3_600_000, budgetMs: 0 };
    expect((await readDetails(client, noDetails, options)).readAt).toEqual({});
    const all = await readDetails(client, noDetails, { ...options, budgetMs: 60_000 });
    expect(Object.keys(all.readAt).sort()).toEqual(['indexes', 'sequences', 'sizes', 'tables']);
    expect((await readDetails(client, all, { ...options, budgetMs: 60_000 })).readAt).toEqual(all.readAt);
  });

  test('sessions are told apart by state, user, application and wait event', async () => {
    const [idle, asleep] = [await database.connect(), await database.connect()];
    await idle.query('BEGIN');
    const sleeping = asleep.query('SELECT pg_sleep(300)').catch(() => undefined);
    let groups = await readSessionGroups(client);
    const isThere = (wanted: string) => groups.some(({ name }) => name === wanted);
    while (!isThere('Timeout: PgSleep') || !isThere('idle in transaction')) groups = await readSessionGroups(client);
    await idle.end();
    await client.query("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'");
    await sleeping;
    await asleep.end();
    const of = (kind: string) => groups.filter((group) => group.kind === kind);
    const sum = (kind: string) => of(kind).reduce((total, { sessions }) => total + sessions, 0);
    expect(of('state')).toContainEqual({ kind: 'state', name: 'idle in transaction', sessions: 1 });
    expect(of('user')[0]?.name).toBe(server.user);
    expect(of('application')).toContainEqual(expect.objectContaining({ name: 'test' }));
    expect(new Set(['user', 'application', 'wait_event'].map(sum))).toEqual(new Set([sum('state')]));
  });

  test('a part that fails leaves its values unknown and the others as they are', async () => {
    await client.query('DROP EXTENSION pg_stat_statements');
    await client.query('CREATE ROLE nobody_much LOGIN');
    await client.query('REVOKE EXECUTE ON FUNCTION pg_catalog.pg_current_wal_lsn() FROM PUBLIC');
    await client.query('SET ROLE nobody_much');
    const { values, statements, failures } = await take();
    await client.query(
      'RESET ROLE; GRANT EXECUTE ON FUNCTION pg_catalog.pg_current_wal_lsn() TO PUBLIC; DROP ROLE nobody_much',
    );
    expect(failures).toEqual([{ part: 'log position', reason: expect.stringContaining('permission denied') }]);
    expect(statements).toBeNull();
    expect(values.connections).toEqual(expect.any(Number));
    expect(values.replicas).toEqual(expect.any(Number));
  });
});
