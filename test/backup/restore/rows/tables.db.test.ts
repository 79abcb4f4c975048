import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Manifest } from '../../../../shared/backup/manifest.ts';
import { checkRestore } from '../../../../shared/backup/restore/check-restore.ts';
import { UnfinishedRestore } from '../../../../shared/backup/restore/failure.ts';
import { takeBackRows } from '../../../../shared/backup/restore/rows/take-back.ts';
import type { Selection } from '../../../../shared/backup/restore/select-entries.ts';
import { stagingName } from '../../../../shared/backup/restore/target-database.ts';
import type { ConnectionTarget } from '../../../../shared/postgres/connect.ts';
import { newJobId } from '../../../../shared/state/ids.ts';
import {
  anyServer,
  createScratchDatabase,
  dropDatabase,
  type ScratchDatabase,
  withClient,
} from '../../../support/servers.ts';
import { DATABASE_ID, type RestoreOptions, useBackupHarness } from '../../support/harness.ts';
import { watchedStore } from '../../support/watched-store.ts';

const DEFINITIONS = `
CREATE SCHEMA sales; CREATE SCHEMA audit;
CREATE TABLE sales.regions (id int PRIMARY KEY);
CREATE TABLE sales.customers (id serial PRIMARY KEY, region int REFERENCES sales.regions, boss int REFERENCES sales.customers);
CREATE TABLE sales.orders (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer int REFERENCES sales.customers, note text);
CREATE TABLE sales.codes (code int CONSTRAINT once UNIQUE DEFERRABLE, place int4range, EXCLUDE USING gist (place WITH &&) DEFERRABLE);
CREATE MATERIALIZED VIEW sales.totals AS SELECT count(*) AS orders FROM sales.orders WITH NO DATA;`;
const YEARLY = `
CREATE TABLE audit.log (at int, note text) PARTITION BY RANGE (at);
CREATE TABLE audit.log_1 PARTITION OF audit.log FOR VALUES FROM (0) TO (10);
CREATE TABLE audit.log_2 PARTITION OF audit.log FOR VALUES FROM (10) TO (20);`;
/** The same, cut otherwise and under other names but one. */
const MONTHLY = `
CREATE TABLE audit.log (at int, note text) PARTITION BY RANGE (at);
CREATE TABLE audit.log_1 PARTITION OF audit.log FOR VALUES FROM (0) TO (5);
CREATE TABLE audit.log_b PARTITION OF audit.log FOR VALUES FROM (5) TO (15);
CREATE TABLE audit.log_c PARTITION OF audit.log FOR VALUES FROM (15) TO (20);`;
const ROWS = `
INSERT INTO sales.regions VALUES (1), (2);
INSERT INTO sales.customers (region, boss) SELECT 1 + n % 2, 21 - n FROM generate_series(1, 20) n;
INSERT INTO sales.orders (customer, note) SELECT 1 + n % 20, repeat(md5(n::text), 20) FROM generate_series(1, 5000) n;
INSERT INTO sales.codes SELECT n, int4range(n, n + 1) FROM generate_series(1, 10) n;
INSERT INTO audit.log SELECT n, 'x' FROM generate_series(0, 19) n;
REFRESH MATERIALIZED VIEW sales.totals;
SELECT lo_from_bytea(5000, 'large');`;

const harness = useBackupHarness();
const server = anyServer();
let source: ScratchDatabase;
let data: Manifest;
let full: Manifest;
const made: ScratchDatabase[] = [];

beforeAll(async () => {
  source = await createScratchDatabase(server);
  await run(source, DEFINITIONS + YEARLY + ROWS);
  await run(source, `CREATE ROLE plain_owner LOGIN PASSWORD 'plain'`);
  data = await harness.backUp(source.target(), { request: { backupType: 'data' } });
  full = await harness.backUp(source.target());
});
afterAll(async () => {
  await source?.drop();
  for (const database of made) await database.drop();
  await withClient(server, 'postgres', (client) => client.query('DROP ROLE plain_owner'));
});

async function run(database: ScratchDatabase, sql: string): Promise<void> {
  await withClient(server, database.name, (client) => client.query(sql));
}

const ask = (database: ScratchDatabase, sql: string): Promise<unknown[]> =>
  withClient(server, database.name, async (client) => {
    const { rows } = await client.query<Record<string, unknown>>(sql);
    return rows.map((row) => Object.values(row)[0]);
  });

async function prepared(sql: string): Promise<ScratchDatabase> {
  const database = await createScratchDatabase(server);
  made.push(database);
  await run(database, sql);
  return database;
}

const asOwner = (database: ScratchDatabase): ConnectionTarget =>
  database.target({ credentials: async () => ({ user: 'plain_owner', password: 'plain' }) });
const OWNED = `
ALTER SCHEMA sales OWNER TO plain_owner; ALTER SCHEMA audit OWNER TO plain_owner;
DO $$ DECLARE each regclass; BEGIN
  FOR each IN SELECT oid FROM pg_class WHERE relnamespace IN ('sales'::regnamespace, 'audit'::regnamespace) AND relkind IN ('r', 'p', 'm') LOOP
    EXECUTE 'ALTER TABLE ' || each || ' OWNER TO plain_owner';
  END LOOP;
  EXECUTE 'GRANT CREATE, TEMPORARY ON DATABASE ' || quote_ident(current_database()) || ' TO plain_owner';
END $$;`;

const tables = (...names: string[]): Selection => ({
  schemas: [],
  tables: names.map((name) => ({ schema: name.split('.')[0] ?? '', table: name.split('.')[1] ?? '' })),
});
const fill = (database: ScratchDatabase, { request, ...options }: RestoreOptions = {}, backup = data) =>
  harness.restore(backup, server, {
    name: database.name,
    target: database.target(),
    ...options,
    request: { mode: 'data', ...request },
  });
const check = (database: ScratchDatabase, selection?: Selection, backup = data, target = database.target()) =>
  checkRestore(
    {
      database: DATABASE_ID,
      backupId: backup.id,
      options: { selection },
      planned: { mode: 'data', targetDatabase: database.name, missingRoles: 'skip', connections: 2 },
    },
    { target, store: harness.store, signal: new AbortController().signal },
  );

const COUNTS = `SELECT format('%s %s', relation, (xpath('/row/n/text()', query_to_xml('SELECT count(*) AS n FROM ' || relation, false, true, '')))[1])
  FROM unnest(ARRAY['sales.regions', 'sales.customers', 'sales.orders', 'sales.codes', 'audit.log']) relation`;
const EMPTY = ['sales.regions 0', 'sales.customers 0', 'sales.orders 0', 'sales.codes 0', 'audit.log 0'];
const FULL = ['sales.regions 2', 'sales.customers 20', 'sales.orders 5000', 'sales.codes 10', 'audit.log 20'];
const records = (database: ScratchDatabase) =>
  ask(database, `SELECT nspname FROM pg_namespace WHERE nspname LIKE 'dbms%'`);

describe('the check', () => {
  test('names all that stands against it at once, and changes nothing', async () => {
    const database = await prepared(`
      CREATE SCHEMA sales; CREATE SCHEMA audit;
      CREATE VIEW sales.regions AS SELECT 1 AS id;
      CREATE TABLE sales.customers (id bigint, region smallint, boss int GENERATED ALWAYS AS (1) STORED);
      CREATE TABLE sales.orders (id int, note text, must int NOT NULL, may int NOT NULL DEFAULT 1);
      CREATE TABLE sales.codes (code int, place int4range); INSERT INTO sales.codes VALUES (1);
      SELECT lo_create(5000);`);
    const found = await check(database);
    expect(found.problems.map(({ code, message }) => [code, /: (.*)$/.exec(message)?.[1] ?? message])).toEqual([
      ['large_objects_taken', '5000'],
      ['tables_missing', 'The database does not have the tables audit.log_1, audit.log_2'],
      ['not_tables', 'sales.regions (a view)'],
      ['tables_not_empty', 'sales.codes'],
      ['columns_missing', 'sales.orders.customer'],
      ['column_types', 'sales.customers.region (integer in the backup, here smallint)'],
      ['columns_generated', 'sales.customers.boss'],
      ['columns_required', 'sales.orders.must'],
    ]);
    expect(found.warnings.map(({ code }) => code)).toEqual([
      'types_wider',
      'triggers_off',
      'sequences_missing',
      'views_missing',
      'free_space_unknown',
    ]);
    expect(found.restores).toEqual({ tables: 6, rows: 5052, bytes: data.totals.bytes - largeBytes() });
    await expect(fill(database)).rejects.toMatchObject({ code: 'restore_refused', message: /^8 problems/ });
    expect(await records(database)).toEqual([]);
    expect((await check({ ...database, name: 'nowhere' })).problems.map(({ code }) => code)).toEqual([
      'database_missing',
    ]);
  });

  test('says what the login may not do', async () => {
    const database = await prepared(`${DEFINITIONS}${YEARLY}
      GRANT USAGE ON SCHEMA sales TO plain_owner; GRANT SELECT, TRUNCATE ON sales.regions TO plain_owner;
      GRANT SELECT, INSERT ON sales.codes TO plain_owner; GRANT SELECT, INSERT, DELETE ON sales.orders TO plain_owner;`);
    const { problems } = await check(
      database,
      tables('sales.regions', 'sales.codes', 'sales.orders', 'audit.log'),
      data,
      asOwner(database),
    );
    expect(problems.map(({ code, message }) => [code, message.split(': ')[1] ?? ''])).toEqual([
      ['record_refused', ''],
      ['rights_missing', 'audit.log_1, audit.log_2, sales.codes, sales.regions'],
      ['sequences_refused', ''],
    ]);
  });

  test('names a circle of foreign keys that no order satisfies, unless they can be turned off', async () => {
    const database = await prepared(`${DEFINITIONS}${YEARLY}
      ALTER TABLE sales.regions ADD CONSTRAINT its_first FOREIGN KEY (id) REFERENCES sales.customers;${OWNED}`);
    const { problems } = await check(database, undefined, data, asOwner(database));
    expect(problems.map(({ code, message }) => [code, message])).toEqual([
      ['foreign_key_circle', expect.stringMatching(/sales.regions.*its_first of sales.regions/)],
    ]);
    expect((await check(database)).problems).toEqual([]);
  });

  test('knows what the backup holds', async () => {
    const database = await prepared(DEFINITIONS);
    const unknown = await check(database, { schemas: ['nowhere'], tables: tables('sales.order').tables });
    expect(unknown.problems.map(({ message }) => message)).toEqual([
      'The backup does not hold: schema nowhere, table sales.order',
    ]);
    const schema = await harness.backUp(source.target(), { request: { backupType: 'schema' } });
    expect((await check(database, undefined, schema)).problems.map(({ code }) => code)).toEqual(['rows_missing']);
  });
});

function largeBytes(): number {
  return data.large_objects.chunks.reduce((sum, { bytes }) => sum + bytes, 0);
}

describe('rows', () => {
  test.each([
    ['a superuser', false],
    ['an owner who may turn nothing off', true],
  ])('of a full backup are loaded by %s, through partitions that are cut otherwise', async (_, plain) => {
    const database = await prepared(`${DEFINITIONS}${MONTHLY}${plain ? OWNED : ''}`);
    const target = plain ? asOwner(database) : database.target();
    const { summary } = await fill(database, { target }, full);
    expect(summary).toMatchObject({ rows: 5052, tables: 6 });
    expect(await ask(database, COUNTS)).toEqual(FULL);
    expect(await ask(database, 'SELECT count(*)::int FROM audit.log_b')).toEqual([10]);
    expect(await ask(database, 'SELECT orders::int FROM sales.totals')).toEqual([5000]);
    expect(await ask(database, `INSERT INTO sales.orders (note) VALUES ('') RETURNING id`)).toEqual([5001]);
    expect(await ask(database, `SELECT convert_from(lo_get(5000), 'UTF8')`)).toEqual(['large']);
    expect(await ask(database, `SELECT count(*)::int FROM pg_stats WHERE tablename = 'orders'`)).toEqual([3]);
    expect(await records(database)).toEqual([]);
  });

  test('of chosen tables come alone, with the positions of what they count with, never backwards', async () => {
    const database = await prepared(`${DEFINITIONS}${YEARLY}
      INSERT INTO sales.regions VALUES (1), (2); INSERT INTO audit.log VALUES (3);
      SELECT setval('sales.customers_id_seq', 400);`);
    await fill(database, { request: { selection: tables('sales.customers', 'audit.log_2') } });
    expect(await ask(database, COUNTS)).toEqual([
      'sales.regions 2',
      'sales.customers 20',
      ...EMPTY.slice(2, 4),
      'audit.log 11',
    ]);
    expect(await ask(database, `SELECT nextval('sales.customers_id_seq')::int`)).toEqual([401]);
    await fill(database, { request: { selection: tables('sales.orders') } });
    expect(await ask(database, `SELECT nextval('sales.orders_id_seq')::int`)).toEqual([5001]);
    expect(await ask(database, 'SELECT count(*)::int FROM pg_largeobject_metadata')).toEqual([0]);
  });

  test('of another encoding are converted, whatever the names of triggers', async () => {
    const database = await createScratchDatabase(server);
    made.push(database);
    const name = `latin_${database.name}`;
    await withClient(server, 'postgres', (client) =>
      client.query(`CREATE DATABASE ${name} TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'`),
    );
    const from = {
      ...database,
      name,
      target: () => database.target({ database: name }),
      drop: () => dropDatabase(server, name),
    };
    made.push(from);
    await run(from, `CREATE TABLE places (name text); INSERT INTO places VALUES ('Zürich')`);
    const backup = await harness.backUp(from.target());
    await run(
      database,
      `CREATE TABLE places (name text);
       CREATE FUNCTION change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.name := 1; RETURN NEW; END';
       CREATE TRIGGER "größer" BEFORE INSERT ON places FOR EACH ROW EXECUTE FUNCTION change();
       ALTER TABLE places ENABLE ALWAYS TRIGGER "größer"`,
    );
    const { summary } = await fill(database, {}, backup);
    expect(summary.warnings[1]).toMatch(/: größer of public.places$/);
    expect(await ask(database, 'SELECT name FROM places')).toEqual(['Zürich']);
    expect(await ask(database, 'SELECT tgenabled FROM pg_trigger')).toEqual(['A']);
  });

  test('that break what was off while they were loaded are taken back', async () => {
    const database = await prepared(`${DEFINITIONS}${YEARLY}
      ALTER TABLE sales.codes ADD FOREIGN KEY (code) REFERENCES sales.regions;
      CREATE TABLE sales.parents (id int PRIMARY KEY);
      ALTER TABLE sales.regions ADD CONSTRAINT to_parent FOREIGN KEY (id) REFERENCES sales.parents;`);
    await expect(fill(database)).rejects.toMatchObject({
      code: 'constraint_violated',
      message: expect.stringMatching(
        /codes_code_fkey of sales.codes .*: 8 rows.*to_parent of sales.regions .*: 2 rows/,
      ),
    });
    expect(await ask(database, COUNTS)).toEqual(EMPTY);
    expect(await ask(database, 'SELECT count(*)::int FROM pg_largeobject_metadata')).toEqual([0]);
    expect(await records(database)).toEqual([]);

    const doubled = await createScratchDatabase(server);
    made.push(doubled);
    await run(
      doubled,
      `CREATE SCHEMA sales; CREATE TABLE sales.codes (code int, place int4range);
      INSERT INTO sales.codes VALUES (1, '[1,3)'), (1, '[2,4)'), (NULL, NULL), (NULL, NULL)`,
    );
    const backup = await harness.backUp(doubled.target());
    await expect(fill(database, {}, backup)).rejects.toMatchObject({
      message: expect.stringMatching(/codes_place_excl of sales.codes: 1 rows.*once of sales.codes: 1 rows/),
    });
    expect(await ask(database, COUNTS)).toEqual(EMPTY);
  });
});

/** The store, with what is done, once, before orders are read. */
function storeWithOrdersAfter(before: () => Promise<void>) {
  let done: Promise<void> | undefined;
  return watchedStore(harness.store, async (path) => {
    if (!path.startsWith('data/sales.orders')) return;
    done ??= before();
    await done;
  });
}

describe('a restore that ends early', () => {
  test('takes back its own rows only, in either way of loading', async () => {
    for (const plain of [false, true]) {
      const database = await prepared(`${DEFINITIONS}${YEARLY}${plain ? OWNED : ''}
        CREATE TABLE outside (customer int REFERENCES sales.customers ON DELETE CASCADE);
        GRANT SELECT ON outside TO plain_owner;`);
      // The largest table comes last among those that do not wait for others: it fails when the others are there.
      const watched = storeWithOrdersAfter(async () => {
        await expect
          .poll(() => ask(database, COUNTS), { timeout: 120_000 })
          .toEqual([...FULL.slice(0, 2), EMPTY[2], ...FULL.slice(3)]);
        await run(database, 'INSERT INTO audit.log VALUES (1)');
        throw Object.assign(new Error('no'), { name: 'NoSuchKey' });
      });
      const target = plain ? asOwner(database) : database.target();
      await expect(fill(database, { target, store: watched.store })).rejects.toMatchObject({ code: 'object_missing' });
      expect(await ask(database, COUNTS)).toEqual([...EMPTY.slice(0, 4), 'audit.log 1']);
      expect(await records(database)).toEqual([]);
    }
  });

  test('leaves rows that rows of others refer to, and says so', async () => {
    const database = await prepared(`${DEFINITIONS}${YEARLY}
      CREATE TABLE outside (customer int REFERENCES sales.customers ON DELETE CASCADE);`);
    const jobId = newJobId();
    const watched = storeWithOrdersAfter(async () => {
      await expect
        .poll(() => ask(database, COUNTS), { timeout: 120_000 })
        .toEqual([...FULL.slice(0, 2), EMPTY[2], ...FULL.slice(3)]);
      await run(database, 'INSERT INTO outside VALUES (7)');
      throw Object.assign(new Error('no'), { name: 'NoSuchKey' });
    });
    await expect(fill(database, { jobId, store: watched.store })).rejects.toMatchObject({
      code: 'rows_left',
      message: expect.stringMatching(
        /the rows of sales.customers stay, as rows that others added to public.outside refer to them; the rows of sales.regions stay/,
      ),
    });
    expect(await ask(database, COUNTS)).toEqual([...FULL.slice(0, 2), ...EMPTY.slice(2)]);
    expect(await ask(database, 'SELECT customer FROM outside')).toEqual([7]);

    // A restore that goes on from here knows what is gone: it loads just that.
    const { summary } = await fill(database, { request: { resumes: jobId } });
    expect(summary.rows).toBe(5052);
    expect(await ask(database, COUNTS)).toEqual(FULL);
    expect(await records(database)).toEqual([]);
  });

  test('takes the rest back when nothing stands in the way any more', async () => {
    const database = await prepared(`${DEFINITIONS}${YEARLY}
      CREATE TABLE outside (customer int REFERENCES sales.customers ON DELETE CASCADE);`);
    const jobId = newJobId();
    const watched = storeWithOrdersAfter(async () => {
      await expect
        .poll(() => ask(database, COUNTS), { timeout: 120_000 })
        .toEqual([...FULL.slice(0, 2), EMPTY[2], ...FULL.slice(3)]);
      await run(database, 'INSERT INTO outside VALUES (7)');
      throw Object.assign(new Error('no'), { name: 'NoSuchKey' });
    });
    await expect(fill(database, { jobId, store: watched.store })).rejects.toMatchObject({ code: 'rows_left' });
    await run(database, 'DELETE FROM outside');
    const place = { target: database.target(), database: database.name, record: stagingName(jobId) };
    const backup = { store: harness.store, database: DATABASE_ID, backupId: data.id };
    expect(await takeBackRows(place, backup)).toEqual([]);
    expect(await ask(database, COUNTS)).toEqual(EMPTY);
    expect(await takeBackRows(place, backup)).toEqual([]);
  });

  test('goes on where it was after a cut, with the rows that are there', async () => {
    const database = await prepared(`${DEFINITIONS}${YEARLY}`);
    const jobId = newJobId();
    const stop = new AbortController();
    const watched = storeWithOrdersAfter(async () => {
      await expect
        .poll(() => ask(database, COUNTS), { timeout: 120_000 })
        .toEqual([...FULL.slice(0, 2), EMPTY[2], ...FULL.slice(3)]);
      stop.abort(new DOMException('The time is over', 'TimeoutError'));
    });
    const first = await fill(database, {
      jobId,
      store: watched.store,
      signal: stop.signal,
      request: { resumable: true },
    }).catch((error: unknown) => error);
    expect(first).toBeInstanceOf(UnfinishedRestore);
    expect(await records(database)).toEqual([stagingName(jobId)]);

    const again = watchedStore(harness.store);
    const { summary } = await fill(database, { jobId, store: again.store });
    expect(again.chunks()).toHaveLength(data.tables.find(({ name }) => name === 'orders')?.chunks.length ?? 0);
    expect(summary.warnings).toEqual([expect.stringContaining('session_replication_role')]);
    expect(await ask(database, COUNTS)).toEqual(FULL);
    expect(await records(database)).toEqual([]);
  });
});
