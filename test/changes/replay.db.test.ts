import { afterAll, beforeAll, expect, test } from 'vitest';
import { readCommits } from '../../shared/changes/replay/transactions.ts';
import { listSegments, readDescription } from '../../shared/changes/segments/stored-segments.ts';
import { findRecoveryWindow } from '../../shared/changes/window/recovery-window.ts';
import { quoteIdentifier } from '../../shared/postgres/identifiers.ts';
import { useBackupHarness } from '../backup/support/harness.ts';
import {
  createScratchDatabase,
  databaseOf,
  forEachServer,
  type ScratchDatabase,
  withClient,
} from '../support/servers.ts';
import {
  contentOfDatabase,
  copyBase,
  type KeptBase,
  type Protected,
  protect,
  replayTo,
  using,
} from './support/recovery.ts';

const harness = useBackupHarness();

forEachServer((server) => {
  let source: ScratchDatabase;
  let guarded: Protected;
  beforeAll(async () => {
    source = await createScratchDatabase(server);
    await using(source, (client) => client.query('CREATE TABLE steps (n int PRIMARY KEY); CREATE TABLE bare (n int)'));
    guarded = await protect(harness, source);
    await guarded.release();
  });
  afterAll(async () => {
    await guarded?.end();
    await source?.drop();
  });

  /** Runs each statement as a transaction of its own. Answers their numbers. */
  const run = (statements: readonly string[]): Promise<bigint[]> =>
    using(source, async (client) => {
      const xids: bigint[] = [];
      for (const statement of statements) {
        await client.query('BEGIN');
        await client.query(statement);
        const { rows } = await client.query('SELECT pg_current_xact_id()::text AS xid');
        await client.query('COMMIT');
        xids.push(BigInt(rows[0].xid));
      }
      return xids;
    });
  const commitOf = async (xid: bigint) => {
    for (const range of await listSegments(harness.store, guarded.of)) {
      const description = await readDescription(harness.store, guarded.of, range, signal);
      for await (const commit of readCommits(harness.store, description, signal)) if (commit.xid === xid) return commit;
    }
    throw new Error('The transaction is not stored');
  };
  const signal = new AbortController().signal;

  test('by time, position and transaction, with the last one or without it', async () => {
    const base = await copyBase(source);
    const xids = await run([1, 2, 3, 4].map((n) => `INSERT INTO steps VALUES (${n})`));
    await guarded.capture();
    const second = await commitOf(xids[1] ?? 0n);
    const targets = [
      [{ transaction: second.xid }, 2],
      [{ transaction: second.xid, inclusive: false }, 1],
      [{ lsn: second.lsn }, 2],
      [{ lsn: second.lsn, inclusive: false }, 1],
      [{ time: second.committedAt }, 2],
      [{ time: second.committedAt, inclusive: false }, 1],
      [{ time: base.snapshot.taken_at }, 0],
    ] as const;
    for (const [target, expected] of targets) {
      const replayed = await replayTo(harness, guarded.of, base, target);
      const { rows } = await using(replayed, (client) => client.query('SELECT count(*)::int AS n FROM steps'));
      expect([target, rows[0].n]).toEqual([target, expected]);
      await replayed.drop();
    }
    const newer = await copyBase(source);
    const refused = (target: Parameters<typeof replayTo>[3], of: KeptBase) =>
      expect(replayTo(harness, guarded.of, of, target)).rejects;
    await refused({ lsn: second.lsn }, newer).toMatchObject({ code: 'target_before_base' });
    await refused({ transaction: second.xid }, newer).toMatchObject({ code: 'target_before_base' });
    await refused({ time: second.committedAt }, newer).toMatchObject({ code: 'target_before_base' });
    await refused({ time: '2100-01-01T00:00:00Z' }, base).toMatchObject({ code: 'target_not_covered' });
    await refused({ transaction: 4_000_000_000n }, base).toMatchObject({ code: 'target_not_covered' });
    await refused({ lsn: 'FFFF/0' }, base).toMatchObject({ code: 'target_not_covered' });
    // Older than the slot.
    const old = { id: 'old', snapshot: { ...base.snapshot, transactions: '3:3:' } };
    await refused({ lsn: second.lsn }, { ...base, ...old }).toMatchObject({ code: 'base_not_covered' });
    const bases = [old, { id: 'base', snapshot: base.snapshot }, { id: 'newer', snapshot: newer.snapshot }];
    const window = await findRecoveryWindow(harness.store, guarded.of, bases, signal);
    const { lastLsn } = (await listSegments(harness.store, guarded.of)).at(-1) ?? { lastLsn: '' };
    expect(window).toMatchObject({ base: 'base', earliest: base.snapshot.taken_at, latest: { lsn: lastLsn } });
    expect(await findRecoveryWindow(harness.store, guarded.of, [old], signal)).toBeNull();
    await base.drop();
    await newer.drop();
  });

  test('what cannot be repeated exactly ends the window, and is named', async () => {
    const base = await copyBase(source);
    const xids = await run([
      'INSERT INTO bare VALUES (1)',
      'UPDATE bare SET n = 2',
      'TRUNCATE bare',
      "DO $$ BEGIN EXECUTE 'CREATE TABLE nested (n int)'; END $$",
      'INSERT INTO nested VALUES (1)',
    ]);
    await using(source, (client) => client.query('CREATE TABLE one (n int); CREATE TABLE other (n int)'));
    await guarded.capture();
    const [inserted, updated, truncated, nested] = xids;
    const replayed = await replayTo(harness, guarded.of, base, { transaction: inserted ?? 0n });
    await replayed.drop();
    const refused = (xid: bigint | undefined) =>
      expect(replayTo(harness, guarded.of, base, { transaction: xid ?? 0n })).rejects;
    await refused(updated).toMatchObject({
      code: 'no_replica_identity',
      message: expect.stringContaining('public.bare'),
    });
    const selection = { isLeftOut: ({ name }: { name: string }) => name === 'bare' };
    const leftOut = await replayTo(harness, guarded.of, base, { transaction: truncated ?? 0n }, { selection });
    await leftOut.drop();
    await refused(nested).toMatchObject({ code: 'window_ends' });
    const ended = replayTo(harness, guarded.of, base, { transaction: nested ?? 0n }, { selection });
    await expect(ended).rejects.toMatchObject({
      code: 'window_ends',
      message: expect.stringContaining('CREATE TABLE was run by a function or a DO block'),
    });
    await base.drop();
    const newest = (await listSegments(harness.store, guarded.of)).at(-1);
    const description = newest && (await readDescription(harness.store, guarded.of, newest, signal));
    expect(description?.without_identity).toEqual(['public.bare']);
    expect(description?.definition_changes.map(({ tag, obstacle }) => [tag, obstacle])).toEqual([
      ['CREATE TABLE', 'CREATE TABLE was run by a function or a DO block'],
      ['CREATE TABLE', 'CREATE TABLE was sent together with other statements'],
      ['CREATE TABLE', 'CREATE TABLE was sent together with other statements'],
    ]);
  });

  test('definitions are repeated in their place, in the path and role they were made with', async () => {
    const role = `definer_${source.name}`;
    await using(source, (client) => client.query(`CREATE ROLE ${role}`));
    const base = await copyBase(source);
    await using(source, async (client) => {
      for (const statement of [
        `CREATE SCHEMA elsewhere AUTHORIZATION ${role}`,
        `SET ROLE ${role}`,
        'SET search_path = elsewhere',
        'CREATE TABLE t (id int PRIMARY KEY)',
        'INSERT INTO t VALUES (1), (2)',
        'ALTER TABLE t ADD COLUMN at timestamptz NOT NULL DEFAULT now()',
        'ALTER TABLE t ADD COLUMN constant text DEFAULT $$it is$$',
        "UPDATE t SET at = at + interval '1 day' WHERE id = 1",
        'ALTER TABLE t ADD COLUMN later timestamptz DEFAULT now()',
        'CREATE TABLE c AS SELECT id, random() AS r FROM t',
        'CREATE MATERIALIZED VIEW m AS SELECT count(*) AS n FROM c',
        'CREATE INDEX CONCURRENTLY i ON t (at)',
        'ALTER TABLE t ALTER COLUMN id TYPE bigint',
        'CREATE TABLE empty (n int)',
        'ALTER TABLE empty ADD COLUMN r float DEFAULT random()',
        'CREATE TEMPORARY TABLE t (wrong int)',
        'ALTER TABLE pg_temp.t ADD COLUMN too int',
        'DROP TABLE pg_temp.t',
        'CREATE TABLE gone (n int)',
        'DROP TABLE gone',
        "CREATE TYPE mood AS ENUM ('a')",
        "ALTER TYPE mood ADD VALUE 'b'",
        'ALTER TABLE t ADD COLUMN mood mood',
        "UPDATE t SET mood = 'b'",
      ]) {
        await client.query(statement);
      }
    });
    const [xid] = await run(['INSERT INTO steps VALUES (100)']);
    await guarded.capture();
    const replayed = await replayTo(harness, guarded.of, base, { transaction: xid ?? 0n });
    expect(await contentOfDatabase(replayed)).toEqual(await contentOfDatabase(source));
    const owner =
      "SELECT relname, relowner::regrole::text AS owner FROM pg_class WHERE relnamespace = 'elsewhere'::regnamespace ORDER BY 1";
    const owners = await using(source, (client) => client.query(owner));
    expect((await using(replayed, (client) => client.query(owner))).rows).toEqual(owners.rows);
    await replayed.drop();
    await base.drop();
    await using(source, (client) => client.query(`DROP SCHEMA elsewhere CASCADE; DROP ROLE ${role}`));
  });

  test('a login that cannot take a replication role keeps triggers and keys from acting all the same', async () => {
    const role = `owner_${source.name}`;
    await using(source, (client) =>
      client.query(`
        CREATE ROLE ${role} LOGIN PASSWORD 'p'; GRANT CREATE ON SCHEMA public TO ${role}; GRANT ALL ON steps TO ${role};
        CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (id int PRIMARY KEY, of int REFERENCES parent ON DELETE CASCADE);
        CREATE TABLE noted (n serial PRIMARY KEY, what text);
        CREATE FUNCTION note_it() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO public.noted (what) VALUES (TG_OP); RETURN NULL; END';
        CREATE TRIGGER note_it AFTER INSERT OR DELETE ON child FOR EACH ROW EXECUTE FUNCTION note_it();
        ALTER TABLE parent OWNER TO ${role}; ALTER TABLE child OWNER TO ${role}; ALTER TABLE noted OWNER TO ${role};
        ALTER TABLE steps OWNER TO ${role}`),
    );
    await guarded.capture();
    const base = await copyBase(source);
    const xids = await run([
      'INSERT INTO parent VALUES (1), (2)',
      'INSERT INTO child VALUES (1, 1), (2, 2)',
      'DELETE FROM parent WHERE id = 1',
      'INSERT INTO steps VALUES (200)',
    ]);
    await guarded.capture();
    const credentials = async () => ({ user: role, password: 'p' });
    const replayed = await replayTo(
      harness,
      guarded.of,
      base,
      { transaction: xids.at(-1) ?? 0n },
      { as: { credentials } },
    );
    expect(await contentOfDatabase(replayed)).toEqual(await contentOfDatabase(source));
    const definitions = `
      SELECT (SELECT string_agg(pg_get_constraintdef(oid) || convalidated, ';' ORDER BY oid::regclass::text) FROM pg_constraint WHERE contype = 'f') AS keys,
             (SELECT string_agg(tgname::text || tgenabled::text, ';' ORDER BY tgname) FROM pg_trigger WHERE NOT tgisinternal) AS triggers`;
    const expected = (await using(source, (client) => client.query(definitions))).rows;
    expect((await using(replayed, (client) => client.query(definitions))).rows).toEqual(expected);
    await replayed.drop();
    await base.drop();
    await using(source, (client) =>
      client.query(
        `DROP TABLE parent, child, noted; DROP FUNCTION note_it; ALTER TABLE steps OWNER TO postgres; DROP OWNED BY ${role}; DROP ROLE ${role}`,
      ),
    );
  });

  test('a replay that was ended goes on from where it was', async () => {
    // The trigger would fire in a replication session too; the publication refuses updates of tables without a key.
    await using(source, (client) =>
      client.query(`
        CREATE PUBLICATION everything FOR ALL TABLES;
        CREATE FUNCTION fails() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF NEW.n % 1000 = 500 THEN RETURN NULL; END IF; RETURN NEW; END';
        CREATE TRIGGER fails BEFORE INSERT ON steps FOR EACH ROW EXECUTE FUNCTION fails();
        ALTER TABLE steps ENABLE ALWAYS TRIGGER fails`),
    );
    const base = await copyBase(source);
    const all = Array.from(
      { length: 40 },
      (_, n) => `INSERT INTO steps SELECT generate_series(${1000 + n * 1000}, ${1999 + n * 1000})`,
    );
    const xids = await run(all);
    await guarded.capture({ segmentBytes: 200_000 });
    const target = { transaction: xids.at(-1) ?? 0n };
    const name = `resumed_${source.name}`;
    await withClient(server, 'postgres', (client) =>
      client.query(`CREATE DATABASE ${quoteIdentifier(name)} TEMPLATE ${quoteIdentifier(base.name)}`),
    );
    let attempts = 0;
    for (let replayed: Awaited<ReturnType<typeof replayTo>> | undefined; !replayed; attempts += 1) {
      const ended = new AbortController();
      // The sooner in the first attempts.
      const options = {
        into: name,
        signal: ended.signal,
        onProgress: () => attempts < 2 && ended.abort(new Error('ended')),
      };
      replayed = await replayTo(harness, guarded.of, base, target, options).catch((error: Error) => {
        expect(error.message).toBe('ended');
        return undefined;
      });
      if (!replayed) continue;
      expect(await contentOfDatabase(replayed)).toEqual(await contentOfDatabase(source));
      const mode = await using(replayed, (client) =>
        client.query(`SELECT tgenabled FROM pg_trigger WHERE tgname = 'fails'`),
      );
      expect(mode.rows).toEqual([{ tgenabled: 'A' }]);
      await replayed.drop();
    }
    expect(attempts).toBe(3);
    await base.drop();
    await using(source, (client) => client.query('DROP PUBLICATION everything'));
  });

  test('a database that is not in UTF-8 comes back in its own encoding', async () => {
    const name = `latin1_${source.name}`;
    await withClient(server, 'postgres', (client) =>
      client.query(
        `CREATE DATABASE ${quoteIdentifier(name)} TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'`,
      ),
    );
    const database = databaseOf(server, name);
    await using(database, (client) =>
      client.query(`
        CREATE TABLE "Größe" ("Schlüssel" text PRIMARY KEY, "Währung" text DEFAULT '£');
        INSERT INTO "Größe" VALUES ('ä'), ('ÿ'), ('gone')`),
    );
    const own = await protect(harness, database);
    await own.release();
    const base = await copyBase(database);
    await using(database, async (client) => {
      for (const statement of [
        `INSERT INTO "Größe" VALUES ('ü ', '¥'), (E'tab\\té\\\\', NULL)`,
        `UPDATE "Größe" SET "Währung" = '¢' WHERE "Schlüssel" = 'ä'`,
        `UPDATE "Größe" SET "Schlüssel" = '×' WHERE "Schlüssel" = 'ÿ'`,
        `DELETE FROM "Größe" WHERE "Schlüssel" = 'gone'`,
        `ALTER TABLE "Größe" ADD COLUMN "Über" text DEFAULT '¿'`,
        `CREATE TABLE "Å" AS SELECT "Schlüssel" AS "å" FROM "Größe"`,
      ]) {
        await client.query(statement);
      }
    });
    await own.capture();
    const { lastLsn } = (await listSegments(harness.store, own.of)).at(-1) ?? { lastLsn: '' };
    const replayed = await replayTo(harness, own.of, base, { lsn: lastLsn });
    const sql = `SELECT pg_encoding_to_char(encoding) AS encoding, (SELECT json_agg(t ORDER BY t::text) FROM "Größe" AS t) AS first,
                        (SELECT json_agg(t ORDER BY t::text) FROM "Å" AS t) AS second
                   FROM pg_database WHERE datname = current_database()`;
    const rowsOf = async (of: ScratchDatabase) => (await using(of, (client) => client.query(sql))).rows;
    expect(await rowsOf(replayed)).toEqual(await rowsOf(database));
    expect(await rowsOf(replayed)).toMatchObject([{ encoding: 'LATIN1', first: { length: 4 }, second: { length: 4 } }]);
    await replayed.drop();
    await base.drop();
    await own.end();
    await database.drop();
  });
});
