import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { backupLocation } from '../../shared/backup/location.ts';
import type { Manifest } from '../../shared/backup/manifest.ts';
import { readSchema } from '../../shared/backup/stored-schema.ts';
import { rehearse } from '../../shared/changes/rehearsal/rehearse.ts';
import { noteBlocker } from '../../shared/changes/segments/note-blocker.ts';
import { planReplay } from '../../shared/changes/window/plan-replay.ts';
import { OperationError } from '../../shared/errors.ts';
import { readDefinitions } from '../../shared/postgres/definitions/catalog-seen.ts';
import { DATABASE_ID, useBackupHarness } from '../backup/support/harness.ts';
import { createScratchDatabase, forEachServer, type ScratchDatabase, type TestServer } from '../support/servers.ts';
import { parseStatements } from '../support/sql-parser.ts';
import { beginningSql, randomHistory, type Step, takeStep, writeRows } from './support/random-history.ts';
import { contentOf, type KeptBase, type Protected, protect, replayTo, restoreBase, using } from './support/recovery.ts';

const harness = useBackupHarness();
const signal = new AbortController().signal;

/** Histories for each version; the long run has 200, see CONTRIBUTING.md. */
const HISTORIES = Number(process.env.HISTORIES ?? '2');
const MOMENTS = 3;

interface State {
  content: Record<string, string>;
  definitions: Record<string, string>;
}

async function stateOf(database: ScratchDatabase): Promise<State> {
  return using(database, async (client) => {
    await client.query("SET search_path = ''");
    const found = await readDefinitions(client);
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
    const content = await contentOf(client);
    const { rows } = await client.query<{ name: string }>(
      "SELECT oid::regclass::text AS name FROM pg_class WHERE relkind = 'm'",
    );
    // They are as of their last refresh; a restore refreshes them.
    for (const { name } of rows) delete content[name];
    return { content, definitions: Object.fromEntries([...found].map(([key, { definition }]) => [key, definition])) };
  });
}

/** What no event trigger tells of: beside changes that are told, a rehearsal alone finds it. It takes seconds. */
const UNTOLD = /^(CLUSTER|CREATE EVENT TRIGGER)/;

/** As the product does after a capture: what a rehearsal finds ends the window. */
async function prove(
  { of }: Protected,
  manifest: Manifest,
  { version }: TestServer,
  source: ScratchDatabase,
  lsn: string,
): Promise<void> {
  const { store } = harness;
  const plan = await planReplay(store, of, manifest.snapshot, { lsn }, signal, { settledMs: 0 }).catch(() => null);
  if (!plan) return;
  const definitions = await using(source, async (client) => {
    await client.query("SET search_path = ''");
    return readDefinitions(client);
  });
  const schema = await readSchema(store, backupLocation(DATABASE_ID, manifest.id), manifest, signal);
  const found = await rehearse(
    { manifest, schema, plan, definitions, version },
    { store, parse: parseStatements, postgresToolsPath: join(import.meta.dirname, '../../node_modules'), signal },
  );
  if (found.outcome !== 'blocked') return;
  const { commit, reason: obstacle } = found;
  const blocker = commit
    ? { lsn: commit.lsn, reason: obstacle }
    : { behind: plan.from, change: { committed_at: manifest.snapshot.taken_at, xid: String(2n ** 62n), obstacle } };
  await noteBlocker(store, of, blocker, signal);
}

/** Lives through a history, and restores it to some of its moments. Answers how many were equal, and how many refused beforehand. */
async function livedThrough(server: TestServer, steps: readonly Step[], choice: number) {
  const source = await createScratchDatabase(server);
  const told: string[] = [];
  let guarded: Protected | undefined;
  let base: KeptBase | undefined;
  try {
    await using(source, (client) => client.query(beginningSql));
    guarded = await protect(harness, source);
    await guarded.release();
    const manifest = await harness.backUp(source.target());
    base = await restoreBase(harness, manifest, server);
    const moments: { xid: bigint; state: State; after: number }[] = [];
    await using(source, async (client) => {
      await client.query("SET lock_timeout = '3s'");
      await using(source, async (writer) => {
        await writer.query("SET lock_timeout = '3s'");
        for (const [index, step] of steps.entries()) {
          const [sent] = await Promise.all([takeStep(client, step, index + 1), writeRows(writer, choice + index)]);
          told.push(...sent);
          if (!step.moment && index < steps.length - 1) continue;
          await writer.query('BEGIN; INSERT INTO steps SELECT coalesce(max(n), 0) + 1 FROM steps');
          const { rows } = await writer.query('SELECT pg_current_xact_id()::text AS xid');
          await writer.query('COMMIT');
          moments.push({ xid: BigInt(rows[0].xid), state: await stateOf(source), after: told.length });
          // As a run each minute: in between, the catalogs are looked at.
          if (index % 3 === 0) await guarded?.capture();
        }
      });
    });
    const { position: lsn } = await guarded.capture();
    if (told.some((sql) => UNTOLD.test(sql))) await prove(guarded, manifest, server, source, lsn);
    const outcome = { equal: 0, refused: 0 };
    const chosen =
      moments.length <= MOMENTS
        ? moments
        : Array.from({ length: MOMENTS }, (_, n) => moments[(choice + n * 7) % moments.length]);
    for (const moment of new Set(chosen)) {
      if (!moment) continue;
      const target = { transaction: moment.xid };
      const refusal = await planReplay(harness.store, guarded.of, base.snapshot, target, signal, { settledMs: 0 }).then(
        () => null,
        (error: unknown) => error,
      );
      if (refusal instanceof OperationError && refusal.code === 'window_ends') {
        outcome.refused += 1;
        continue;
      }
      const history = told.slice(0, moment.after).join('\n');
      const replayed = await replayTo(harness, guarded.of, base, target).catch((error: Error) => {
        throw new Error(`It fails at its end: ${error.message}\n${history}`);
      });
      try {
        expect({ history, ...(await stateOf(replayed)) }).toEqual({ history, ...moment.state });
      } finally {
        await replayed.drop();
      }
      outcome.equal += 1;
    }
    return outcome;
  } finally {
    await guarded?.end();
    await source.drop();
  }
}

forEachServer((server) => {
  test('random histories of definitions come back equal, or are refused beforehand', {
    timeout: 14_400_000,
  }, async () => {
    const total = { equal: 0, refused: 0 };
    await fc.assert(
      fc.asyncProperty(randomHistory, fc.nat(1000), async (steps, choice) => {
        const { equal, refused } = await livedThrough(server, steps, choice);
        total.equal += equal;
        total.refused += refused;
      }),
      { numRuns: HISTORIES, interruptAfterTimeLimit: 14_000_000, endOnFailure: process.env.SHRINK === 'off' },
    );
    if (HISTORIES > 10)
      process.stdout.write(
        `${server.label}: ${HISTORIES} histories, ${total.equal} moments equal, ${total.refused} refused\n`,
      );
  });
});
