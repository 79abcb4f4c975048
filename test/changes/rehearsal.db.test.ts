import { join } from 'node:path';
import { expect, test } from 'vitest';
import { backupLocation } from '../../shared/backup/location.ts';
import { readSchema } from '../../shared/backup/stored-schema.ts';
import { rehearse } from '../../shared/changes/rehearsal/rehearse.ts';
import { planReplay } from '../../shared/changes/window/plan-replay.ts';
import { readDefinitions } from '../../shared/postgres/definitions/catalog-seen.ts';
import { DATABASE_ID, useBackupHarness } from '../backup/support/harness.ts';
import { createScratchDatabase, forEachServer, type ScratchDatabase } from '../support/servers.ts';
import { parseStatements } from '../support/sql-parser.ts';
import { protect, using } from './support/recovery.ts';

const harness = useBackupHarness();
const signal = new AbortController().signal;
const postgresToolsPath = join(import.meta.dirname, '../../node_modules');

forEachServer((server) => {
  /** What a rehearsal says of changes that are made after a backup. */
  async function rehearsed(setup: string, changes: readonly string[], more: object = {}) {
    const source: ScratchDatabase = await createScratchDatabase(server);
    await using(source, (client) => client.query(setup));
    const guarded = await protect(harness, source);
    try {
      await guarded.release();
      const manifest = await harness.backUp(source.target());
      await using(source, async (client) => {
        for (const change of changes) await client.query(change);
      });
      const { position: lsn } = await guarded.capture();
      const plan = await planReplay(harness.store, guarded.of, manifest.snapshot, { lsn }, signal, { settledMs: 0 });
      const definitions = await using(source, async (client) => {
        await client.query("SET search_path = ''");
        return readDefinitions(client);
      });
      const schema = await readSchema(harness.store, backupLocation(DATABASE_ID, manifest.id), manifest, signal);
      return await rehearse(
        { manifest, schema, plan, definitions, version: server.version },
        { store: harness.store, parse: parseStatements, postgresToolsPath, signal, ...more },
      );
    } finally {
      await guarded.end();
      await source.drop();
    }
  }

  const setup = `
    CREATE TYPE mood AS ENUM ('calm');
    CREATE TABLE t (a int PRIMARY KEY, b text NOT NULL, m mood);
    CREATE TABLE parts (id int PRIMARY KEY, n int REFERENCES t) PARTITION BY RANGE (id);
    CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
    CREATE VIEW v AS SELECT a, b FROM t;
    CREATE MATERIALIZED VIEW mv AS SELECT count(*) FROM t;
    CREATE FUNCTION f(int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN $1; END $$;
    CREATE FUNCTION ef() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'never in a rehearsal'; END $$;
    CREATE EVENT TRIGGER nodrop ON sql_drop EXECUTE FUNCTION ef();
    GRANT SELECT ON t TO pg_monitor;`;

  test('says that changes are repeated, and that the definitions are those of the source', async () => {
    const found = await rehearsed(setup, [
      'ALTER TABLE t RENAME TO people',
      'ALTER TABLE people RENAME b TO name',
      "ALTER TABLE people ADD made timestamptz NOT NULL DEFAULT now(), ADD CHECK (name <> '')",
      "ALTER TYPE mood ADD VALUE 'merry'",
      'CREATE TABLE copied AS SELECT a, name FROM people',
      'CREATE INDEX ON people (name)',
      'CREATE TABLE parts_2 (LIKE parts INCLUDING ALL)',
      'ALTER TABLE parts ATTACH PARTITION parts_2 FOR VALUES FROM (10) TO (20)',
      'DO $$ BEGIN GRANT INSERT ON people TO pg_monitor; END $$',
      'CREATE OR REPLACE VIEW v AS SELECT a, name AS b, made FROM people',
      'CREATE PROCEDURE p() LANGUAGE sql AS $$ SELECT 1 $$',
      'CREATE TEMP TABLE passing AS SELECT 1 AS n',
      'REFRESH MATERIALIZED VIEW mv',
      'CREATE SCHEMA app CREATE TABLE inside (n serial PRIMARY KEY)',
      'COMMENT ON TABLE app.inside IS $$it is new$$',
    ]);
    expect(found).toEqual({ outcome: 'repeated', compared: true });
  });

  test('names the first change that cannot be repeated, though it looked as if it could', async () => {
    const found = await rehearsed(setup, [
      'CREATE TABLE before (n int)',
      'ALTER EVENT TRIGGER dbms_changes_end DISABLE',
      'CREATE TABLE hidden (n int)',
      'ALTER EVENT TRIGGER dbms_changes_end ENABLE ALWAYS',
      'CREATE TABLE after (LIKE hidden)',
      'CREATE TABLE never (LIKE after)',
    ]);
    expect(found).toMatchObject({
      outcome: 'blocked',
      reason: 'CREATE TABLE could not be repeated: relation "hidden" does not exist',
      commit: { lsn: expect.stringMatching(/^[0-9A-F]+\/[0-9A-F]+$/) },
    });
  });

  test('is not needed where the capture has found that something beside told changes was not told', async () => {
    const found = rehearsed(setup, [
      'CREATE TABLE told (n int)',
      'CREATE EVENT TRIGGER later ON ddl_command_end EXECUTE FUNCTION ef()',
    ]);
    await expect(found).rejects.toMatchObject({
      code: 'window_ends',
      message: expect.stringMatching(/of which no event trigger tells \(.*event trigger/),
    });
  });

  test('is ended when its time is over, whatever a statement of the source does', async () => {
    const endless = `CREATE FUNCTION endless() RETURNS int LANGUAGE plpgsql STABLE AS $$ BEGIN
      LOOP EXIT WHEN current_setting('application_name') = 'somebody'; END LOOP; RETURN 1; END $$;`;
    const ending = AbortSignal.timeout(60_000);
    const found = rehearsed(
      setup + endless,
      ["SET application_name = 'somebody'", 'ALTER TABLE t ADD n int DEFAULT endless()'],
      { signal: ending },
    );
    await expect(found).rejects.toThrow(/timeout/);
  });
});
