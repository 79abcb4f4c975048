import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Manifest } from '../../shared/backup/manifest.ts';
import { checkRestore, type RestoreCheck } from '../../shared/backup/restore/check-restore.ts';
import { swapBack } from '../../shared/backup/restore/swap-back.ts';
import { runDrill } from '../../shared/backup/validate/drill.ts';
import { captureChanges } from '../../shared/changes/capture/capture.ts';
import { captureDefaults } from '../../shared/changes/capture/settings.ts';
import { turnOff, turnOn } from '../../shared/changes/setup/turn-on.ts';
import { planReplay } from '../../shared/changes/window/plan-replay.ts';
import { replayOf } from '../../shared/recovery/replay.ts';
import { newJobId } from '../../shared/state/ids.ts';
import type { StateTable } from '../../shared/state/table.ts';
import { backUpDistributed } from '../backup/support/distributed.ts';
import { DATABASE_ID, type RestoreOptions, useBackupHarness } from '../backup/support/harness.ts';
import { KEY, parseMask } from '../masking/support/mask-value.ts';
import { createStateTable } from '../state/support.ts';
import { dropDatabase, forEachServer, targetFor } from '../support/servers.ts';
import { parseStatements } from '../support/sql-parser.ts';
import { forgedMessages } from './hostile-database.sql.ts';
import { kindsOf, OWNER, ofOurs, useHostileServer } from './hostile-server.ts';

const harness = useBackupHarness();
const { signal } = new AbortController();
let table: StateTable;
beforeAll(async () => {
  ({ table } = await createStateTable(harness.services));
});

/** The functions that the tripwires of the kinds are in. */
const functionOf = (kind: string): string =>
  kind.startsWith('event trigger')
    ? 'evil.on_ddl()'
    : ({
        check: 'evil.passes(text, text)',
        domain: 'evil.passes(text, text)',
        range: 'evil.distance(integer, integer)',
        trigger: 'evil.on_row()',
      }[kind] ?? 'evil.same(text, text)');

forEachServer((server) => {
  const hostile = useHostileServer(server);
  let manifest: Manifest;

  const masking = {
    ...{ version: 1, maskingKey: KEY },
    rules: [
      { schema: 'evil', table: 'people', column: 'email', mask: parseMask({ rule: 'email' }) },
      { schema: 'evil', table: 'people', column: 'note', mask: parseMask({ rule: 'fixed', value: 'x' }) },
      { schema: 'evil', table: 'people', column: 'mood', mask: parseMask({ rule: 'fixed', value: 'bad' }) },
      { schema: 'evil', table: 'people', column: 'pair', mask: parseMask({ rule: 'null' }) },
    ],
  };

  test('backups of every type run nothing of it, nor those that are masked or of samples', async () => {
    await hostile.nothingRuns(async () => {
      manifest = await harness.backUp(hostile.target());
      expect(manifest.missing).toBeUndefined();
      expect(manifest.tables.map(({ name, rows }) => [name, rows])).toContainEqual(['guarded', 1]);
      for (const backupType of ['schema', 'data'] as const)
        await harness.backUp(hostile.target(), { request: { backupType } });
      const sampled = (table: string) =>
        harness.backUp(hostile.target(), { request: { sample: { percent: 50, tables: [table] } } });
      await sampled('evil.ruled');
      await expect(sampled('evil.people')).rejects.toMatchObject({ code: 'sample_refused' });
      // Rows of a large table are read by parts, which is planned.
      expect(manifest.warnings.join()).toContain(
        '"evil"."large" (index evil.constant_of_large calls evil.same(text,text))',
      );
      const selection = { include: ['evil.people'], exclude: [] };
      await harness.backUp(hostile.target(), { request: selection as object });
      const masked = await harness.backUp(hostile.target(), { request: { masking } });
      expect(masked.masking?.version).toBe(1);
    });
  });

  test('a distributed backup runs nothing of it', async () => {
    await hostile.nothingRuns(async () => {
      const { outcome } = await backUpDistributed(harness, table, hostile.target(), { invocationMs: 60_000 });
      expect(outcome.status).not.toBe('failed');
    });
  });

  test('a drill runs it as a login that has no rights', async () => {
    const settings = {
      ...{ retention_days: 1, compression_level: 1, connections: 2 },
      ...{ chunk_bytes: 1_048_576, lanes: 1, connection_share: 0.5 },
    };
    const drilled = { jobId: newJobId(), backupId: manifest.id, database: DATABASE_ID };
    const trips = await hostile.trips(async () => {
      await runDrill(drilled, {
        target: hostile.target('postgres'),
        store: harness.store,
        settings,
        report: async () => undefined,
        signal,
        hasEnded: async () => false,
      });
    });
    for (const kind of ['check', 'domain', 'generated column', 'index expression', 'partition key'])
      expect(kindsOf(trips)).toContain(kind);
    expect(ofOurs(trips)).toEqual([]);
    expect(new Set(trips.map(({ session }) => session))).toEqual(
      new Set([`dbms_run_${drilled.jobId.slice('job-'.length).toLowerCase()}`]),
    );
    expect(await hostile.run("SELECT rolname FROM pg_roles WHERE rolname LIKE 'dbms\\_run\\_%'")).toEqual([]);
  });

  describe('a restore that an administrator asks for, the one place where it runs with our rights', () => {
    const people = { selection: { schemas: [], tables: [{ schema: 'evil', table: 'people' }] } };
    const made: string[] = [];
    afterAll(async () => {
      for (const name of made) await dropDatabase(server, name);
    });

    const check = async (mode: 'new' | 'swap' | 'data' | 'beside', name: string, options: object = {}) => {
      let found: RestoreCheck | undefined;
      const planned = { mode, targetDatabase: name, missingRoles: 'create', connections: 2 } as const;
      await hostile.nothingRuns(async () => {
        found = await checkRestore(
          { ...{ database: DATABASE_ID, backupId: manifest.id }, options, planned },
          { target: hostile.target(mode === 'new' ? 'postgres' : name), store: harness.store, signal },
        );
      });
      expect(found?.problems).toEqual([]);
      return found?.functions ?? [];
    };
    /** Restores, and expects that what ran with our rights is what the check has named. */
    const restored = async (named: readonly { name: string }[], name: string, options: RestoreOptions = {}) => {
      const trips = await hostile.trips(() =>
        harness.restore(manifest, server, { name, target: hostile.target('postgres'), ...options }),
      );
      made.push(name);
      const ran = [...kindsOf(ofOurs(trips))];
      const names = named.map((each) => each.name);
      expect(ran.filter((kind) => !names.includes(functionOf(kind)))).toEqual([]);
      return ran;
    };

    test('a restore of each mode runs what the check names: new', async () => {
      const functions = await check('new', 'hostile_copy');
      expect(functions.find(({ name }) => name === 'evil.passes(text, text)')).toMatchObject({
        owner: OWNER,
        used_by: expect.arrayContaining(['DOMAIN evil.mail', 'TABLE evil.people']),
      });
      expect(functions.find(({ name }) => name === 'evil.same(text, text)')?.used_by).toContain(
        'INDEX evil.on_expression',
      );
      expect(functions.map(({ name }) => name)).not.toContain('evil.on_row()');
      const ran = await restored(functions, 'hostile_copy');
      expect(ran).toContain('check');
      expect(ran.filter((kind) => /trigger|rule|policy|view|function|operator|default/.test(kind))).toEqual([]);
    });

    test('... swap, and back', async () => {
      const name = 'hostile_copy';
      await hostile.run(`GRANT dbms_owner TO ${OWNER}`).catch(() => undefined);
      const functions = await check('swap', name);
      const jobId = newJobId();
      let kept: string | null = null;
      const trips = await hostile.trips(async () => {
        const { summary } = await harness.restore(manifest, server, {
          ...{ name, jobId, target: hostile.target('postgres'), request: { mode: 'swap' } },
        });
        kept = summary.keptDatabase;
      });
      made.push(kept ?? '');
      const names = functions.map((each) => each.name);
      expect([...kindsOf(ofOurs(trips))].filter((kind) => !names.includes(functionOf(kind)))).toEqual([]);
      const swap = { kept_database: kept ?? '', swapped_back_at: null };
      await hostile.nothingRuns(async () => {
        const back = await swapBack(
          { id: jobId, status: 'succeeded', swap, target_database: name },
          hostile.target('postgres'),
        );
        made.push(back.kept_database);
      });
    });

    test('... beside, into the hostile database itself', async () => {
      await hostile.run(`GRANT CREATE ON SCHEMA evil TO dbms`, hostile.name).catch(() => undefined);
      const functions = await check('beside', hostile.name, people);
      expect(functions.map(({ name }) => name)).toEqual(
        expect.arrayContaining(['evil.on_ddl()', 'evil.passes(text, text)']),
      );
      const ran = await restored(functions, hostile.name, { request: { mode: 'beside', ...people } });
      made.pop();
      expect(ran).toEqual(expect.arrayContaining(['event trigger ddl_command_end', 'domain']));
      expect(ran).not.toContain('event trigger login');
    });

    test('... data, into tables that are there', async () => {
      await hostile.asOwner((client) => client.query('TRUNCATE evil.people'));
      await hostile.run(`GRANT CREATE ON SCHEMA evil TO dbms`, hostile.name).catch(() => undefined);
      const functions = await check('data', hostile.name, people);
      expect(functions.find(({ name }) => name === 'evil.same(text, text)')).toMatchObject({
        owner: OWNER,
        used_by: expect.arrayContaining(['index evil.on_expression']),
      });
      const ran = await restored(functions, hostile.name, { request: { mode: 'data', ...people } });
      made.pop();
      expect(ran).toEqual(expect.arrayContaining(['check', 'domain', 'generated column', 'index expression']));
      expect(ran).not.toContain('trigger');
    });

    test('... new, to a moment, where no message is taken for one of ours', async () => {
      // With a superuser's event triggers: the documented login makes none.
      const admin = targetFor(server, hostile.name);
      const { slot } = await turnOn(DATABASE_ID, { target: admin, store: harness.store, signal });
      const base = await harness.backUp(hostile.target());
      const restoreTo = await hostile.asOwner(async (client) => {
        for (const message of forgedMessages) await client.query(message);
        await client.query("ALTER TABLE evil.people ADD COLUMN more text DEFAULT evil.same('default', 'x')");
        const { rows } = await client.query(
          "UPDATE evil.people SET note = 'changed' WHERE id = 1 RETURNING pg_catalog.pg_current_xact_id()::text AS xid",
        );
        await client.query("UPDATE evil.people SET note = 'later' WHERE id = 2");
        return BigInt(rows[0].xid);
      });
      await hostile.nothingRuns(async () => {
        const summary = await captureChanges(
          { database: DATABASE_ID, slot },
          {
            target: hostile.target(),
            store: harness.store,
            settings: { ...captureDefaults, emptyAfterBytes: 0 },
            signal,
          },
        );
        expect(summary.unauthenticated).toBe(forgedMessages.length);
      });
      const of = { database: DATABASE_ID, slot };
      const planned = {
        of,
        plan: await planReplay(harness.store, of, base.snapshot, { transaction: restoreTo }, signal, { settledMs: 0 }),
      };
      const target = hostile.target('postgres');
      const replay = replayOf(planned, { target, store: harness.store, signal, parse: parseStatements, isPart: false });
      const name = 'hostile_then';
      const trips = await hostile.trips(() => harness.restore(base, server, { name, target, replay }));
      made.push(name);
      expect(kindsOf(ofOurs(trips))).not.toContain('default');
      expect(kindsOf(trips)).toContain('default');
      expect(
        await hostile.run(
          "SELECT pg_catalog.count(more)::int4 AS more FROM evil.people WHERE note OPERATOR(pg_catalog.=) 'changed'",
          name,
        ),
      ).toEqual([{ more: 1 }]);
      await turnOff(DATABASE_ID, { target: admin });
    });
  });

  test('nobody has become more than they were', async () => {
    expect(
      await hostile.run(
        `SELECT rolname FROM pg_roles WHERE rolname IN ('${OWNER}', 'dbms') AND (rolsuper OR rolcreaterole)`,
      ),
    ).toEqual([]);
  });
});
