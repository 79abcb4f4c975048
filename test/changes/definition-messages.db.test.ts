import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ObstacleChange, UnauthenticatedMessages } from '../../shared/changes/capture/capture-once.ts';
import type { DefinitionCommand } from '../../shared/changes/capture/tally.ts';
import {
  createEventTriggersSql,
  dropEventTriggersSql,
  MESSAGE_PREFIX,
} from '../../shared/changes/definitions/event-triggers.sql.ts';
import {
  listSegments,
  readDescription,
  readSlotRecord,
  writeSlotRecord,
} from '../../shared/changes/segments/stored-segments.ts';
import { quoteIdentifier } from '../../shared/postgres/identifiers.ts';
import { definersCheck } from '../../shared/recovery/check-definers.ts';
import { useBackupHarness } from '../backup/support/harness.ts';
import {
  anyServer,
  createScratchDatabase,
  forEachServer,
  type ScratchDatabase,
  withClient,
} from '../support/servers.ts';
import { firstEventTriggersSql } from './support/first-version.sql.ts';
import { forgedMessages } from './support/hostile-messages.sql.ts';
import { openSlot } from './support/peek.ts';
import { copyBase, type Protected, protect, type ReplayOptions, replayTo, using } from './support/recovery.ts';

const harness = useBackupHarness();
const signal = new AbortController().signal;

/** Logins that may connect to the databases of a test. */
async function createLogins(database: ScratchDatabase, ...names: string[]): Promise<void> {
  await using(database, async (client) => {
    for (const name of names) await client.query(`CREATE ROLE ${name} LOGIN PASSWORD 'p'`);
  });
}

async function dropLogins(database: ScratchDatabase, ...names: string[]): Promise<void> {
  await using(database, async (client) => {
    for (const name of names)
      await client.query(`REASSIGN OWNED BY ${name} TO CURRENT_USER; DROP OWNED BY ${name}; DROP ROLE ${name}`);
  });
}

async function as<Result>(
  database: Pick<ScratchDatabase, 'server' | 'name'>,
  user: string,
  use: (client: pg.Client) => Promise<Result>,
): Promise<Result> {
  const { host, port } = database.server;
  const client = new pg.Client({ host, port, user, password: 'p', database: database.name });
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}

const isSuperuser = (database: ScratchDatabase, name: string): Promise<boolean> =>
  using(database, async (client) => {
    const { rows } = await client.query('SELECT rolsuper FROM pg_roles WHERE rolname = $1', [name]);
    return rows[0].rolsuper;
  });

/** Captures, and tells all that was heard of definitions. */
async function listen(guarded: Protected) {
  const obstacles: ObstacleChange[] = [];
  const commands: DefinitionCommand[] = [];
  const ignored: UnauthenticatedMessages[] = [];
  const summary = await guarded.capture(
    {},
    {
      onObstacle: async (change) => void obstacles.push(change),
      onDefinitions: async (told) => void commands.push(...told),
      onUnauthenticated: async (messages) => void ignored.push(messages),
    },
  );
  return { summary, obstacles, commands, ignored };
}

async function newestDescription(guarded: Protected) {
  const newest = (await listSegments(harness.store, guarded.of)).at(-1);
  if (!newest) throw new Error('There is no segment');
  return readDescription(harness.store, guarded.of, newest, signal);
}

/** A transaction that changes a row, to be restored to. */
const mark = (database: ScratchDatabase): Promise<bigint> =>
  using(database, async (client) => {
    const { rows } = await client.query(
      `INSERT INTO public.marks DEFAULT VALUES RETURNING pg_current_xact_id()::text AS xid`,
    );
    return BigInt(rows[0].xid);
  });

async function guardedDatabase(server = anyServer()): Promise<{ source: ScratchDatabase; guarded: Protected }> {
  const source = await createScratchDatabase(server);
  await using(source, (client) => client.query('CREATE TABLE marks (n serial PRIMARY KEY)'));
  const guarded = await protect(harness, source);
  await guarded.release();
  return { source, guarded };
}

forEachServer((server) => {
  let source: ScratchDatabase;
  let guarded: Protected;
  beforeAll(async () => {
    ({ source, guarded } = await guardedDatabase(server));
    await createLogins(source, 'mallory', 'app');
    await using(source, (client) =>
      client.query(`CREATE SCHEMA app AUTHORIZATION app; ALTER DATABASE ${source.name} OWNER TO app`),
    );
  });
  afterAll(async () => {
    await guarded?.end();
    await dropLogins(source, 'mallory', 'app');
    await source?.drop();
  });

  test('ignores, counts and tells of messages that anybody may have written', async () => {
    await guarded.capture();
    const base = await copyBase(source);
    await as(source, 'mallory', async (client) => {
      for (const message of forgedMessages) await client.query(message);
    });
    await as(source, 'app', (client) => client.query('CREATE TABLE app.t (id int PRIMARY KEY)'));
    // By a right that the owner of the database has.
    await as(source, 'app', (client) => client.query('CREATE TABLE public.own (id int PRIMARY KEY)'));
    const last = await mark(source);
    const { summary, obstacles, commands, ignored } = await listen(guarded);
    expect(obstacles).toEqual([]);
    expect(commands.map(({ tag, role }) => [tag, role])).toEqual([
      ['CREATE TABLE', 'app'],
      ['CREATE TABLE', 'app'],
    ]);
    expect(summary.unauthenticated).toBe(forgedMessages.length);
    expect(ignored.map(({ count }) => count)).toEqual([forgedMessages.length]);
    expect(ignored[0]?.claims[0]).toMatchObject({
      xid: expect.stringMatching(/^\d+$/),
      claimed: { tag: 'ALTER TABLE', role: 'postgres', query: 'ALTER ROLE mallory SUPERUSER' },
    });
    const description = await newestDescription(guarded);
    expect(description.unauthenticated).toBe(forgedMessages.length);
    expect(description.definition_changes).toMatchObject([
      { tag: 'CREATE TABLE', obstacle: null, definer: { role: 'app', rights: [] } },
      { tag: 'CREATE TABLE', obstacle: null, definer: { role: 'app', rights: [] } },
    ]);
    const replayed = await replayTo(harness, guarded.of, base, { transaction: last });
    expect(replayed.summary.warnings).toEqual([expect.stringMatching(/^7 messages were ignored/)]);
    expect(await isSuperuser(source, 'mallory')).toBe(false);
    const owners = `
      SELECT (SELECT string_agg(relowner::regrole::text, ' ') FROM pg_class WHERE relname IN ('t', 'own')) AS tables,
             pg_get_userbyid(datdba) AS database FROM pg_database WHERE datname = current_database()`;
    const { rows } = await using(replayed, (client) => client.query(owners));
    expect(rows).toEqual([{ tables: 'app app', database: 'postgres' }]);
    await replayed.drop();
    await base.drop();
  });

  test('ignores what the server has signed in another transaction', async () => {
    const base = await copyBase(source);
    const slot = await openSlot(source);
    await as(source, 'app', (client) => client.query('ALTER TABLE app.t ADD COLUMN added int'));
    const written = (await slot.next()).find((line) => line.includes(`prefix: ${MESSAGE_PREFIX}`)) ?? '';
    const content = written.slice(written.indexOf('content:') + 8).replaceAll('\\\\', '\\');
    expect(content).toMatch(/^2 [0-9a-f]{64} \{/);
    await as(source, 'mallory', (client) =>
      client.query('SELECT pg_logical_emit_message(true, $1, $2)', [MESSAGE_PREFIX, content]),
    );
    const last = await mark(source);
    const { summary, commands, ignored } = await listen(guarded);
    expect(commands.map(({ tag }) => tag)).toEqual(['ALTER TABLE']);
    expect([summary.unauthenticated, ignored[0]?.claims[0]?.claimed?.role]).toEqual([1, 'app']);
    const replayed = await replayTo(harness, guarded.of, base, { transaction: last });
    await replayed.drop();
    await base.drop();
    await slot.close();
  });

  test('gives nothing to a login that calls all there is, whatever default privileges it has', async () => {
    const other = await createScratchDatabase(server);
    await using(other, async (client) => {
      await client.query(`
        ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO mallory;
        ALTER DEFAULT PRIVILEGES GRANT ALL ON FUNCTIONS TO mallory, PUBLIC;
        ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO mallory, PUBLIC`);
    });
    const slot = await openSlot(other);
    await using(other, (client) => client.query(createEventTriggersSql));
    const { rows: functions } = await using(other, (client) =>
      client.query(
        `SELECT oid::regprocedure::text AS name, proname, pronargs - 0 AS arguments FROM pg_proc
          WHERE pronamespace = 'dbms_changes'::regnamespace`,
      ),
    );
    expect(functions.map(({ proname }) => proname).sort()).toEqual(['make_key', 'note', 'tell']);
    await as(other, 'mallory', async (client) => {
      const refused = (sql: string) =>
        expect(client.query(sql), sql).rejects.toMatchObject({ code: expect.stringMatching(/^(42501|0A000)$/) });
      for (const { proname, arguments: count } of functions) {
        await refused(`SELECT dbms_changes.${proname}(${Array(count).fill("''").join(', ')})`);
      }
      await refused('TABLE dbms_changes.key');
      await refused('SELECT inner_key FROM dbms_changes.key');
      await refused('REFRESH MATERIALIZED VIEW dbms_changes.key');
      await refused('CREATE EVENT TRIGGER mine ON ddl_command_end EXECUTE FUNCTION dbms_changes.note()');
    });
    const { rows: held } = await using(other, (client) =>
      client.query(`
        SELECT has_schema_privilege('mallory', 'dbms_changes', 'USAGE, CREATE') AS schema,
               has_table_privilege('mallory', 'dbms_changes.key', 'SELECT, INSERT, UPDATE, DELETE') AS key,
               (SELECT bool_or(has_function_privilege('mallory', oid, 'EXECUTE')) FROM pg_proc
                 WHERE pronamespace = 'dbms_changes'::regnamespace) AS functions`),
    );
    expect(held).toEqual([{ schema: false, key: false, functions: false }]);
    // Whoever decodes changes does not see the key.
    expect((await slot.next()).filter((line) => line.includes('key'))).toEqual([]);
    await slot.close();
    await other.drop();
  });

  test('keeps its key when it is refreshed, and no path of a login leads elsewhere', async () => {
    const other = await createScratchDatabase(server);
    const key = () =>
      using(other, async (client) => (await client.query('SELECT * FROM dbms_changes.key')).rows[0] as object);
    await using(other, (client) => client.query(createEventTriggersSql));
    const before = await key();
    expect(Object.values(before).map((part) => part.length)).toEqual([64, 64]);
    await using(other, (client) => client.query('REFRESH MATERIALIZED VIEW dbms_changes.key'));
    expect(await key()).toEqual(before);
    await using(other, (client) => client.query('CREATE SCHEMA app AUTHORIZATION app'));
    const slot = await openSlot(other);
    await as(other, 'app', async (client) => {
      for (const statement of [
        'CREATE DOMAIN app.text AS pg_catalog.text CHECK (false)',
        `CREATE FUNCTION app.current_setting(pg_catalog.text) RETURNS pg_catalog.text LANGUAGE sql AS 'SELECT 1/0'`,
        `CREATE FUNCTION app.like(pg_catalog.text, pg_catalog.text) RETURNS boolean LANGUAGE sql AS 'SELECT 1/0 = 0'`,
        'CREATE OPERATOR app.~~ (LEFTARG = pg_catalog.text, RIGHTARG = pg_catalog.text, FUNCTION = app.like)',
        'SET search_path = app, pg_catalog',
        'CREATE TABLE app.t (n int)',
      ]) {
        await client.query(statement);
      }
    });
    const told = (await slot.next()).filter((line) => line.includes('CREATE TABLE'));
    expect(told).toEqual([expect.stringContaining('"search_path": "app, pg_catalog"')]);
    await slot.close();
    await other.drop();
  });

  test('replaces event triggers of the earlier version, whose messages end the window', async () => {
    const old = await createScratchDatabase(server);
    await using(old, (client) => client.query('CREATE TABLE marks (n serial PRIMARY KEY)'));
    const own = await protect(harness, old);
    await own.release();
    await using(old, (client) => client.query(`${dropEventTriggersSql}; ${firstEventTriggersSql}`));
    const record = await readSlotRecord(harness.store, own.of, signal);
    await writeSlotRecord(harness.store, { ...record, signing: null }, signal);
    const base = await copyBase(old);
    const rows = await mark(old);
    await using(old, (client) => client.query('CREATE TABLE early (n int PRIMARY KEY)'));
    const first = await listen(own);
    expect(first.commands).toEqual([]);
    expect(first.obstacles).toMatchObject([
      { tag: 'CREATE TABLE', obstacle: expect.stringContaining('event triggers that did not sign') },
    ]);
    const signing = (await readSlotRecord(harness.store, own.of, signal)).signing;
    expect(signing?.keys).toHaveLength(1);
    // What is before is restored, and what is after is not repeated.
    await (await replayTo(harness, own.of, base, { transaction: rows })).drop();
    const after = await mark(old);
    const second = await listen(own);
    await expect(replayTo(harness, own.of, base, { transaction: after })).rejects.toMatchObject({
      code: 'window_ends',
    });
    const next = await copyBase(old);
    await using(old, (client) => client.query('CREATE TABLE later (n int PRIMARY KEY)'));
    await as(old, 'mallory', (client) => client.query(forgedMessages[2] ?? ''));
    const last = await mark(old);
    const third = await listen(own);
    expect([second.obstacles, third.obstacles, third.summary.unauthenticated]).toEqual([[], [], 1]);
    expect(third.commands.map(({ query }) => query)).toEqual(['CREATE TABLE later (n int PRIMARY KEY)']);
    expect((await readSlotRecord(harness.store, own.of, signal)).signing).toEqual(signing);
    await (await replayTo(harness, own.of, next, { transaction: last })).drop();
    await Promise.all([base.drop(), next.drop(), own.end()]);
    await old.drop();
  });
});

describe('event triggers that somebody changed', () => {
  test.for([
    ['one that is gone', 'DROP EVENT TRIGGER dbms_changes_end'],
    ['one that does not fire', 'ALTER EVENT TRIGGER dbms_changes_drop DISABLE'],
    ['a key that is gone', 'REFRESH MATERIALIZED VIEW dbms_changes.key WITH NO DATA'],
    ['another key', `${dropEventTriggersSql}; ${createEventTriggersSql}`],
  ] as const)('%s: the window ends, and they tell again', async ([, change]) => {
    const { source, guarded } = await guardedDatabase();
    const base = await copyBase(source);
    const before = await mark(source);
    await guarded.capture();
    await using(source, (client) => client.query(change));
    await using(source, (client) => client.query('CREATE TABLE untold (n int PRIMARY KEY)'));
    const { obstacles } = await listen(guarded);
    expect(obstacles).toMatchObject([{ tag: null, obstacle: expect.stringContaining('may not have been noted') }]);
    const after = await mark(source);
    expect((await listen(guarded)).obstacles).toEqual([]);
    await (await replayTo(harness, guarded.of, base, { transaction: before })).drop();
    await expect(replayTo(harness, guarded.of, base, { transaction: after })).rejects.toMatchObject({
      code: 'window_ends',
    });
    const next = await copyBase(source);
    await using(source, (client) => client.query('CREATE TABLE told (n int PRIMARY KEY)'));
    const last = await mark(source);
    expect((await listen(guarded)).commands.map(({ query }) => query)).toEqual([
      'CREATE TABLE told (n int PRIMARY KEY)',
    ]);
    await (await replayTo(harness, guarded.of, next, { transaction: last })).drop();
    await Promise.all([base.drop(), next.drop(), guarded.end()]);
    await source.drop();
  });
});

describe('a database without event triggers', () => {
  test('has no messages that count', async () => {
    const source = await createScratchDatabase(anyServer());
    const guarded = await protect(harness, source, { followsDefinitions: false });
    await guarded.release();
    await using(source, async (client) => {
      for (const message of forgedMessages) await client.query(message);
    });
    // The server does not write a message of no transaction to the disk by itself.
    await using(source, (client) => client.query("SELECT pg_logical_emit_message(true, 'other', 'end')"));
    const { summary, obstacles } = await listen(guarded);
    expect([summary.unauthenticated, obstacles]).toEqual([forgedMessages.length, []]);
    await guarded.end();
    await source.drop();
  });
});

describe('a publication of all tables', () => {
  test('and its subscriber are not disturbed', async () => {
    const { source, guarded } = await guardedDatabase();
    const subscriber = await createScratchDatabase(source.server);
    const slot = `subscribed_${source.name}`;
    await using(source, (client) => client.query('CREATE PUBLICATION everything FOR ALL TABLES'));
    await using(source, (client) => client.query("SELECT pg_create_logical_replication_slot($1, 'pgoutput')", [slot]));
    const { host, port, user, password } = source.server;
    await using(subscriber, async (client) => {
      await client.query('CREATE TABLE marks (n serial PRIMARY KEY); CREATE TABLE later (n int PRIMARY KEY)');
      await client.query(
        `CREATE SUBSCRIPTION ${quoteIdentifier(slot)} CONNECTION 'host=${host} port=${port} user=${user} password=''${password}'' dbname=${source.name}'
           PUBLICATION everything WITH (create_slot = false, copy_data = false)`,
      );
    });
    await using(source, (client) => client.query('CREATE TABLE later (n int PRIMARY KEY)'));
    await using(subscriber, (client) =>
      client.query(`ALTER SUBSCRIPTION ${quoteIdentifier(slot)} REFRESH PUBLICATION WITH (copy_data = false)`),
    );
    await using(source, (client) => client.query('REFRESH MATERIALIZED VIEW dbms_changes.key'));
    await using(source, (client) => client.query('INSERT INTO later VALUES (1)'));
    const { rows } = await using(source, (client) =>
      client.query("SELECT tablename FROM pg_publication_tables WHERE schemaname = 'dbms_changes'"),
    );
    expect(rows).toEqual([]);
    await expect
      .poll(() => using(subscriber, async (client) => (await client.query('SELECT n FROM later')).rows))
      .toEqual([{ n: 1 }]);
    await using(subscriber, (client) => client.query(`DROP SUBSCRIPTION ${quoteIdentifier(slot)}`));
    await subscriber.drop();
    await guarded.end();
    await source.drop();
  });
});

describe('code of others in a command that is repeated', () => {
  let source: ScratchDatabase;
  let guarded: Protected;
  beforeAll(async () => {
    ({ source, guarded } = await guardedDatabase());
    await createLogins(source, 'mallory', 'plain');
    await using(source, (client) => client.query('CREATE SCHEMA mallory AUTHORIZATION mallory'));
    // It waits until it is not in the original: where a login with more rights repeats the command.
    await as(source, 'mallory', (client) =>
      client.query(`
        CREATE FUNCTION mallory.attack() RETURNS int LANGUAGE plpgsql AS $$
        BEGIN
          IF current_database() LIKE 'scratch%' THEN RETURN 1; END IF;
          BEGIN
            PERFORM set_config('role', 'none', false);
          EXCEPTION WHEN OTHERS THEN
            RAISE NOTICE 'refused';
          END;
          EXECUTE 'ALTER ROLE mallory SUPERUSER';
          RETURN 1;
        EXCEPTION WHEN insufficient_privilege THEN
          RETURN 1;
        END $$;
        CREATE FUNCTION mallory.now_and_later() RETURNS int LANGUAGE plpgsql AS $$
        BEGIN
          IF current_database() LIKE 'scratch%' THEN RETURN 1; END IF;
          INSERT INTO mallory.queue VALUES (1);
          EXECUTE 'DECLARE later CURSOR WITH HOLD FOR SELECT mallory.attack()';
          PERFORM set_config('search_path', 'mallory, pg_catalog', false);
          RETURN 1;
        END $$;
        CREATE FUNCTION mallory.innocent() RETURNS int STABLE LANGUAGE sql AS 'SELECT mallory.attack()';
        CREATE FUNCTION mallory.patient() RETURNS int STABLE LANGUAGE sql AS 'SELECT mallory.now_and_later()';
        CREATE FUNCTION mallory.fire() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM mallory.attack(); RETURN NULL; END';
        CREATE TABLE mallory.queue (n int);
        CREATE CONSTRAINT TRIGGER fire AFTER INSERT ON mallory.queue DEFERRABLE INITIALLY DEFERRED
          FOR EACH ROW EXECUTE FUNCTION mallory.fire();
        ALTER TABLE mallory.queue ENABLE ALWAYS TRIGGER fire;
        CREATE TABLE mallory.t (id int PRIMARY KEY);
        INSERT INTO mallory.t VALUES (1)`),
    );
    await guarded.capture();
  });
  afterAll(async () => {
    await guarded?.end();
    await dropLogins(source, 'mallory', 'plain');
    await source?.drop();
  });

  const repeat = async (statement: string, options: ReplayOptions = {}): Promise<readonly string[]> => {
    const base = await copyBase(source);
    // As a restore leaves them out.
    await withClient(source.server, base.name, (client) => client.query(dropEventTriggersSql));
    try {
      await as(source, 'mallory', (client) => client.query(statement));
      const last = await mark(source);
      await guarded.capture();
      const replayed = await replayTo(harness, guarded.of, base, { transaction: last }, options);
      await replayed.drop();
      return replayed.summary.warnings;
    } finally {
      await base.drop();
    }
  };

  test.for([
    'ALTER TABLE mallory.t ADD COLUMN a int DEFAULT mallory.innocent()',
    'ALTER TABLE mallory.t ADD CONSTRAINT c CHECK (mallory.attack() = 1)',
    'ALTER TABLE mallory.t ADD COLUMN b int DEFAULT mallory.patient()',
    'CREATE INDEX ON mallory.t ((id + 1)) WHERE id > 0',
  ])('has no more rights than whoever ran it: %s', async (statement) => {
    await repeat(statement).catch((error: Error) => expect(error).toMatchObject({ code: 'window_ends' }));
    expect(await isSuperuser(source, 'mallory')).toBe(false);
  });

  test('is not run where the role has more rights than it had', async () => {
    const attempt = repeat('CREATE TABLE mallory.more (n int)', { owners: { roleOf: () => 'postgres' } });
    await expect(attempt).rejects.toMatchObject({
      code: 'window_ends',
      message: expect.stringContaining('has more rights here than it had: superuser'),
    });
  });

  test('is not run with the rights of a superuser in place of a role that is missing', async () => {
    const attempt = repeat('CREATE TABLE mallory.missing (n int)', { owners: { roleOf: () => 'nobody_here' } });
    await expect(attempt).rejects.toMatchObject({
      code: 'window_ends',
      message: expect.stringMatching(
        /The role nobody_here is not on this server, and the login postgres has more rights/,
      ),
    });
  });

  test('is named beforehand where nobody can run it, or another will', async () => {
    const found = (rights: readonly string[], created: readonly string[] = []) =>
      using(source, async (client) => {
        const { problems, warnings } = await definersCheck([{ role: 'nobody_here', rights: [...rights] }])(
          client,
          new Set(created),
        );
        return [problems.map(({ code }) => code), warnings.map(({ code }) => code)];
      });
    expect(await found([])).toEqual([['definer_missing'], []]);
    expect(await found(['superuser'])).toEqual([[], ['definer_replaced']]);
    expect(await found([], ['nobody_here'])).toEqual([[], []]);
  });

  test('is run as the login where that has no rights of its own', async () => {
    const credentials = async () => ({ user: 'plain', password: 'p' });
    const owners = { ownersLeftOut: true };
    await using(source, (client) =>
      client.query(
        'REASSIGN OWNED BY mallory TO plain; ALTER TABLE marks OWNER TO plain; GRANT ALL ON SCHEMA mallory TO mallory',
      ),
    );
    expect(await repeat('CREATE TABLE mallory.plainly (n int)', { as: { credentials }, owners })).toEqual([]);
  });
});
