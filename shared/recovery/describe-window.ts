import type { ObjectStore } from '../backup/objects/object-store.ts';
import type { Finding } from '../backup/restore/findings.ts';
import type { GuardLimits } from '../changes/guard/decide.ts';
import { readSlotHealth } from '../changes/guard/guard.ts';
import { checkSetup, listCoverageGaps } from '../changes/setup/check-setup.ts';
import { toMicroseconds } from '../changes/window/recovery-target.ts';
import { findRecoveryWindow, type RecoveryWindow } from '../changes/window/recovery-window.ts';
import type { RecoveryWindowAnswer } from '../contract/schemas/recovery.ts';
import type { ConnectionTarget } from '../postgres/connect.ts';
import { withConnection } from '../postgres/with-connection.ts';
import { type Recovery, readRecovery } from '../state/recovery.ts';
import type { StateTable } from '../state/table.ts';
import { listBases, readSnapshot } from './bases.ts';

export interface DescribeDependencies {
  target: ConnectionTarget;
  store: ObjectStore;
  table: StateTable;
  limits: GuardLimits;
  signal: AbortSignal;
}

const LOOK_TIMEOUT_MS = 10_000;

/**
 * Says how a database's point-in-time recovery is: by what is noted, what is stored, and what the server says of itself.
 *
 * @throws OperationError of the connection or the store
 */
export async function describeRecovery(
  database: string,
  { target, store, table, limits, signal }: DescribeDependencies,
): Promise<RecoveryWindowAnswer> {
  const recovery = await readRecovery(table, database);
  const isOn = recovery !== null && recovery.closed === null;
  const found = await withConnection(target, { statementTimeoutMs: LOOK_TIMEOUT_MS }, async (client) => ({
    setup: await checkSetup(client),
    gaps: await listCoverageGaps(client),
    health: isOn ? await readSlotHealth(client, recovery.slot) : null,
  }));
  const window = recovery && (await windowOf(recovery, { store, table, signal }));
  const since = recovery?.captured_at ?? null;
  const { setup, gaps, health } = found;
  return {
    database,
    status: recovery === null ? 'off' : isOn ? 'on' : 'closed',
    earliest: window && toMicroseconds(window.earliest),
    latest: window?.latest ?? null,
    base: window?.base ?? null,
    captured_at: since,
    lag_seconds: since === null ? null : Math.max(0, Math.round((Date.now() - Date.parse(since)) / 1000)),
    slot:
      recovery && health
        ? {
            name: recovery.slot,
            state: health.walStatus ?? 'missing',
            retained_bytes: health.retainedBytes,
            limit_bytes: limits.mostRetainedBytes,
            behind_bytes: health.behindBytes,
          }
        : null,
    follows_definitions: recovery?.follows_definitions ?? null,
    closed: recovery?.closed ?? null,
    not_covered: gaps.map(({ table: of, reason, explanation }) => ({
      schema: of?.schema ?? null,
      table: of?.name ?? null,
      reason,
      explanation,
    })),
    // Of one that is on, such as that all slots are taken: by its own.
    problems: isOn ? [] : setup.problems.map(written),
    warnings: setup.warnings.map(written),
  };
}

/** From the oldest backup that the slot's changes begin before. Those that were taken before the slot was made cannot be it. */
async function windowOf(
  { database, slot, turned_on_at: since }: Recovery,
  { store, table, signal }: Pick<DescribeDependencies, 'store' | 'table' | 'signal'>,
): Promise<RecoveryWindow | null> {
  for (const base of await listBases(table, database)) {
    // A minute for clocks that differ.
    if (Date.parse(base.snapshot_at) < Date.parse(since) - 60_000) continue;
    const snapshot = await readSnapshot(store, base, signal);
    const window = await findRecoveryWindow(store, { database, slot }, [{ id: base.id, snapshot }], signal);
    // Right after a backup, no moment after it is known to be whole.
    if (window && toMicroseconds(window.earliest) <= window.latest.time) return window;
  }
  return null;
}

const written = ({ code, message, nextStep }: Finding) => ({ code, message, next_step: nextStep });
