import { listed } from '../../listed.ts';
import { readRows } from '../../masking/copy-text.ts';
import { contextOf } from '../../masking/find/about-people.ts';
import { personalByName } from '../../masking/find/personal-names.ts';
import { mayTell, personalByValues } from '../../masking/find/personal-values.ts';
import { quoteQualified } from '../../postgres/identifiers.ts';
import { runLanes } from '../export/lanes.ts';
import type { Manifest } from '../manifest.ts';
import type { Finding } from './findings.ts';
import type { BackupSource } from './load-rows.ts';
import { firstRows, spreadChunks } from './masking/sample-rows.ts';

type Table = Manifest['tables'][number];

interface Column {
  table: Table;
  index: number;
  column: string;
  type: string | undefined;
}

/** Rows of each of a table's objects that are looked at. */
const ROWS_OF_CHUNK = 150;
/** Objects that are read at a time. */
const LANES = 8;
/** For looking at values, before the restore begins without having looked at all. */
const LOOKING_MS = 10_000;

/**
 * Names the columns of a backup that seem to hold personal data and are not masked, where the target is trusted less: by their names, and
 * by values in the first rows of up to three objects of each table. Nothing is created, and no value is told.
 *
 * @param ruled - the columns of a table that are masked while they are loaded
 */
export async function checkUnmasked(
  source: BackupSource,
  { tables, masking }: Manifest,
  ruled: (table: Table) => readonly string[],
  { problems, warnings, signal }: { problems: Finding[]; warnings: Finding[]; signal: AbortSignal },
): Promise<void> {
  const key = (schema: string, table: string, column: string): string => JSON.stringify([schema, table, column]);
  const masked = new Set(masking?.columns.map(({ schema, table, column }) => key(schema, table, column)));
  const found = new Map<Table, string[]>();
  const note = ({ table, column }: Column, kind: string, path: string | null): void => {
    const place = `${quoteQualified(table.schema, table.name)}.${column}${path === null ? '' : ` at ${path}`}`;
    found.set(table, [...(found.get(table) ?? []), `${place} (${kind})`]);
  };
  const open = new Map<Table, Column[]>();
  for (const table of tables) {
    const { schema, name, types, rows } = table;
    const isRuled = new Set(ruled(table));
    const context = contextOf(name, table.columns);
    for (const [index, column] of table.columns.entries()) {
      if (rows === 0 || isRuled.has(column) || masked.has(key(schema, name, column))) continue;
      const each = { table, index, column, type: types?.[index] };
      const kind = personalByName(column, each.type, context);
      if (kind) note(each, kind, null);
      else if (mayTell(each.type)) open.set(table, [...(open.get(table) ?? []), each]);
    }
  }
  const left = await lookAtValues(source, open, note, signal);
  if (left > 0) {
    warnings.push({
      code: 'values_not_looked_at',
      message: `There was no time to look at values of ${left} tables: of them, the names of columns alone were`,
      nextStep: 'Have POST security/masking/find look at the source.',
    });
  }
  const named = tables.flatMap((table) => found.get(table) ?? []);
  if (named.length === 0) return;
  problems.push({
    code: 'unmasked_personal_data',
    message: `The environment is trusted less than that of the backup, and columns seem to hold personal data that is not masked: ${listed(named)}`,
    nextStep: 'Restore with "masked": true or a masked backup, mask these columns too, or send "allow_unmasked": true.',
  });
}

/** The largest tables first. @returns how many there was no time for */
async function lookAtValues(
  source: BackupSource,
  open: ReadonlyMap<Table, readonly Column[]>,
  note: (column: Column, kind: string, path: string | null) => void,
  signal: AbortSignal,
): Promise<number> {
  const time = AbortSignal.timeout(LOOKING_MS);
  let left = open.size;
  const look = async (table: Table, columns: readonly Column[], looking: AbortSignal): Promise<void> => {
    const rows: (string | null)[][] = [];
    for (const chunk of spreadChunks(table)) {
      rows.push(...readRows(await firstRows(source, chunk, { rows: ROWS_OF_CHUNK, signal: looking })));
    }
    for (const column of columns) {
      const values = rows.flatMap((row) => row[column.index] ?? []);
      const personal = personalByValues(column.type, values);
      if (personal) note(column, personal.kind, personal.path);
    }
    left -= 1;
  };
  const bySize = [...open].sort(([a], [b]) => b.rows - a.rows);
  await runLanes(bySize, LANES, {
    open: async () => undefined,
    work: async (_, [table, columns], laneSignal) => {
      if (time.aborted) return;
      await look(table, columns, AbortSignal.any([laneSignal, time])).catch((error: unknown) => {
        if (!time.aborted || laneSignal.aborted) throw error;
      });
    },
    close: async () => undefined,
    signal,
  });
  return left;
}
