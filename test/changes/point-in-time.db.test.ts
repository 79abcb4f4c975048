import { setTimeout } from 'node:timers/promises';
import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Manifest } from '../../shared/backup/manifest.ts';
import { useBackupHarness } from '../backup/support/harness.ts';
import { createScratchDatabase, forEachServer, type ScratchDatabase } from '../support/servers.ts';
import {
  contentOf,
  contentOfDatabase,
  type Protected,
  protect,
  type RestoredBase,
  restoreBase,
} from './support/recovery.ts';
import { DEFINITIONS_LOCK, workloadTablesSql } from './support/workload.sql.ts';
import { startWorkload } from './support/workload.ts';

const harness = useBackupHarness();
const MOMENTS = 20;

interface Moment {
  xid: bigint;
  content: Record<string, string>;
}

/**
 * Stops all writers for a moment, so that the state is that of one place in the order of commits: the transaction's own. The others
 * lock tables in any order, so one of them, or this one, may have to try again.
 */
async function recordMoment(client: pg.Client, n: number): Promise<Moment> {
  for (;;) {
    try {
      await client.query(`BEGIN; SELECT pg_advisory_xact_lock(${DEFINITIONS_LOCK})`);
      const { rows } = await client.query(
        `SELECT string_agg(oid::regclass::text, ', ' ORDER BY oid) AS all FROM pg_class
          WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace AND NOT relispartition`,
      );
      await client.query(`LOCK TABLE ${rows[0].all} IN EXCLUSIVE MODE`);
      await client.query('INSERT INTO moments VALUES ($1)', [n]);
      const content = await contentOf(client);
      const { rows: own } = await client.query('SELECT pg_current_xact_id()::text AS xid');
      await client.query('COMMIT');
      return { xid: BigInt(own[0].xid), content };
    } catch (error) {
      await client.query('ROLLBACK');
      if ((error as { code?: string }).code !== '40P01') throw error;
    }
  }
}

forEachServer((server) => {
  let source: ScratchDatabase;
  let guarded: Protected;
  let manifest: Manifest;
  let base: RestoredBase;
  const moments: Moment[] = [];

  beforeAll(async () => {
    source = await createScratchDatabase(server);
    const client = await source.connect();
    await client.query(workloadTablesSql);
    guarded = await protect(harness, source);
    const workload = await startWorkload(source, { writers: 5, seed: server.version });
    await setTimeout(200);
    const backup = harness.backUp(source.target());
    for (let n = 0; n < MOMENTS; n += 1) {
      if (n === 2) manifest = await backup;
      await workload.more(60);
      moments.push(await recordMoment(client, n));
      if (n % 4 === 3) await guarded.capture({ segmentBytes: 100_000, linesPerRead: 20_000 });
    }
    await workload.stop();
    await guarded.capture({ segmentBytes: 100_000 });
    await client.end();
    base = await restoreBase(harness, manifest, server, guarded.of);
  });
  afterAll(async () => {
    await guarded?.end();
    await source?.drop();
  });

  test(`${MOMENTS} moments under load come back equal, by transaction`, async () => {
    let checked = 0;
    for (const { xid, content } of moments.slice(3)) {
      const replayed = await base.replay({ transaction: xid });
      expect(await contentOfDatabase(replayed)).toEqual(content);
      await replayed.drop();
      checked += 1;
    }
    expect(checked).toBe(MOMENTS - 3);
  });
});
