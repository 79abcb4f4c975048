import type pg from 'pg';
import { quoteLiteral } from '../../../postgres/identifiers.ts';
import type { ProgressMeter } from '../../../progress/progress.ts';
import { runLanes } from '../../export/lanes.ts';
import type { Manifest } from '../../manifest.ts';
import { objectsInTurn } from '../../objects/objects-in-turn.ts';
import { copyInSql } from '../../plan/plan.ts';
import { loadOrder } from '../load-order.ts';
import { type BackupSource, loadChunks } from '../load-rows.ts';
import type { RowMasking } from '../masking/row-masking.ts';
import { type RestoreRecord, recordItem } from '../restore-record.ts';
import { planRows, type RowsTask } from './plan-rows.ts';
import { switchTriggers } from './triggers.ts';
import type { LoadWay } from './way.ts';

export interface LoadingRows {
  source: BackupSource;
  /** Of the chunks' text. */
  encoding: string;
  record: RestoreRecord;
  /** null: rows are loaded as they are. */
  masking: RowMasking | null;
  progress: ProgressMeter;
  /** Opens one of several sessions. */
  open: () => Promise<pg.Client>;
  lanes: number;
  signal: AbortSignal;
}

/** Loads the rows that no earlier attempt has loaded, level by level. */
export async function loadRows(manifest: Manifest, { levels }: LoadWay, loading: LoadingRows): Promise<void> {
  const { record, progress, lanes, open, signal } = loading;
  const tableOf = new Map<string, number>();
  const left = new Map<number, number>();
  for (const { oid, chunks } of manifest.tables) {
    const loaded = chunks.filter(({ path, rows }) => rows > 0 && record.has(recordItem.chunk(path)));
    for (const { rows, bytes } of loaded) progress.add({ rows, bytes });
    const remaining = chunks.filter(({ rows }) => rows > 0).length - loaded.length;
    if (remaining === 0) progress.add({ tables: 1 });
    for (const { path } of chunks) tableOf.set(path, oid);
    left.set(oid, remaining);
  }
  const count = (task: RowsTask): void => {
    for (const copy of task.transactions.flat()) {
      for (const { path, rows } of copy.chunks) {
        const table = tableOf.get(path) ?? 0;
        const remaining = (left.get(table) ?? 0) - 1;
        left.set(table, remaining);
        progress.add({ rows, tables: remaining === 0 ? 1 : 0 });
      }
    }
  };
  for (const groups of levels) {
    const order = loadOrder(planRows(groups, lanes, ({ path }) => record.has(recordItem.chunk(path))));
    await runLanes(order, lanes, {
      open,
      work: async (client, task, laneSignal) => {
        await runTask(client, task, { ...loading, signal: laneSignal });
        order.done(task);
        count(task);
      },
      close: (client) => client.end(),
      signal,
    });
  }
}

async function runTask(
  client: pg.Client,
  { transactions, triggers, isCircle }: RowsTask,
  { source, encoding, record, masking, progress, signal }: LoadingRows,
): Promise<void> {
  const { off, on } = switchTriggers(triggers);
  const contents = objectsInTurn(
    source,
    transactions.flat().flatMap(({ chunks }) => chunks),
    { signal },
  );
  try {
    for (const copies of transactions) {
      // Triggers first: their lock is stronger than that of COPY, and a lock that is raised can be a deadlock.
      await client.query(['BEGIN', ...off, ...(isCircle ? ['SET CONSTRAINTS ALL DEFERRED'] : [])].join('; '));
      for (const { into, table, columns, chunks } of copies) {
        await loadChunks(client, contents, {
          sql: `${copyInSql({ schema: into.schema, name: into.name, columns })} WITH (ENCODING ${quoteLiteral(encoding)})`,
          chunks,
          what: `${table.schema}.${table.name}`,
          masker: () => masking?.maskerOf(into, columns) ?? null,
          onBytes: (bytes) => progress.add({ bytes }),
          signal,
        });
      }
      await record.add(
        client,
        copies.flatMap(({ chunks }) => chunks.map(({ path }) => recordItem.chunk(path))),
      );
      // A table with checks to come cannot be altered.
      await client.query(['SET CONSTRAINTS ALL IMMEDIATE', ...on, 'COMMIT'].join('; '));
    }
  } finally {
    await contents.close();
  }
}
