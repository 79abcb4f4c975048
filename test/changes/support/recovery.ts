import { randomBytes } from 'node:crypto';
import type pg from 'pg';
import type { Manifest } from '../../../shared/backup/manifest.ts';
import {
  type CaptureSettings,
  type CaptureSummary,
  captureChanges,
  captureDefaults,
} from '../../../shared/changes/capture/capture.ts';
import { createEventTriggersSql } from '../../../shared/changes/definitions/event-triggers.sql.ts';
import { type ReplaySummary, replayChanges } from '../../../shared/changes/replay/replay.ts';
import type { ChangesOf } from '../../../shared/changes/segments/stored-segments.ts';
import { createSlot, dropSlot } from '../../../shared/changes/setup/slot.ts';
import { planReplay } from '../../../shared/changes/window/plan-replay.ts';
import type { RecoveryTarget } from '../../../shared/changes/window/recovery-target.ts';
import { quoteIdentifier } from '../../../shared/postgres/identifiers.ts';
import type { BackupHarness } from '../../backup/support/harness.ts';
import { DATABASE_ID } from '../../backup/support/harness.ts';
import { checksumSql, exactText, rowsOfSql } from '../../support/compare/content.sql.ts';
import {
  connectTo,
  dropDatabase,
  type ScratchDatabase,
  type TestServer,
  targetFor,
  withClient,
} from '../../support/servers.ts';

const signal = new AbortController().signal;

/** A database whose changes are captured. */
export interface Protected {
  of: ChangesOf;
  capture(settings?: Partial<CaptureSettings>): Promise<CaptureSummary>;
  /** Drops the slot: the database can go then. */
  end(): Promise<void>;
}

export async function protect(
  harness: BackupHarness,
  database: ScratchDatabase,
  { followsDefinitions = true }: { followsDefinitions?: boolean } = {},
): Promise<Protected> {
  const of = { database: DATABASE_ID, slot: `slot_${randomBytes(8).toString('hex')}` };
  const client = await database.connect();
  if (followsDefinitions) await client.query(createEventTriggersSql);
  await createSlot(client, harness.store, { ...of, followsDefinitions }, signal);
  return {
    of,
    capture: (settings = {}) =>
      captureChanges(of, {
        target: database.target(),
        store: harness.store,
        settings: { ...captureDefaults, emptyAfterBytes: 0, ...settings },
        signal,
      }),
    async end() {
      await dropSlot(client, of.slot);
      await client.end();
    },
  };
}

/** A restored base, kept as a template, so that many moments can be replayed on copies of it. */
export interface RestoredBase {
  /** A copy with the changes until the target. The caller drops it. */
  replay(target: RecoveryTarget): Promise<ScratchDatabase & { summary: ReplaySummary }>;
}

export async function restoreBase(
  harness: BackupHarness,
  manifest: Manifest,
  server: TestServer,
  of: ChangesOf,
): Promise<RestoredBase> {
  const base = await harness.restore(manifest, server);
  return {
    async replay(target) {
      const name = `replayed_${randomBytes(6).toString('hex')}`;
      const sql = `CREATE DATABASE ${quoteIdentifier(name)} TEMPLATE ${quoteIdentifier(base.name)}`;
      await withClient(server, 'postgres', (client) => client.query(sql));
      const plan = await planReplay(harness.store, of, manifest.snapshot, target, signal);
      const dependencies = { target: targetFor(server, name), database: name, store: harness.store, signal };
      const summary = await replayChanges(plan, dependencies);
      return {
        name,
        server,
        connect: () => connectTo(server, name),
        target: (changes) => targetFor(server, name, changes),
        drop: () => dropDatabase(server, name),
        summary,
      };
    },
  };
}

/** Rows and checksum of every table, in the transaction that `client` is in. Materialized views are as of their last refresh. */
export async function contentOf(client: pg.Client): Promise<Record<string, string>> {
  await client.query(exactText);
  const { rows } = await client.query<{ name: string; only: boolean }>(rowsOfSql);
  const content: Record<string, string> = {};
  for (const { name, only } of rows) {
    if (name === 'public.moods') continue;
    const { rows: sums } = await client.query(checksumSql(`${only ? 'ONLY ' : ''}${name}`));
    content[name] = `${sums[0]?.rows} rows, ${sums[0]?.sum}`;
  }
  return content;
}

export async function contentOfDatabase(database: ScratchDatabase): Promise<Record<string, string>> {
  const client = await database.connect();
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
  const content = await contentOf(client);
  await client.end();
  return content;
}
