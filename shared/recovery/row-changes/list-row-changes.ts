import type pg from 'pg';
import type { ObjectStore } from '../../backup/objects/object-store.ts';
import type { Lsn } from '../../changes/lsn.ts';
import type { SegmentDescription } from '../../changes/segments/description.ts';
import { verifierOf } from '../../changes/segments/description.ts';
import { toMicroseconds } from '../../changes/window/recovery-target.ts';
import type { RowChangesAnswer } from '../../contract/schemas/row-changes.ts';
import { OperationError } from '../../errors.ts';
import { type ConnectionTarget, connect } from '../../postgres/connect.ts';
import { readMasking } from '../../state/masking.ts';
import type { StateTable } from '../../state/table.ts';
import { type RowMatcher, rowMatcher } from './matcher.ts';
import { decodeCursor, encodeCursor, type Position } from './positions.ts';
import { type CommittedRename, columnNow, followTable, type TableName } from './renames.ts';
import { parseKey, parseTable } from './request.ts';
import { rowTableSql } from './row-table.sql.ts';
import { readRenames, scanSegment } from './scan.ts';
import { type ShownChange, showChange, textsIn, writeRow } from './show-change.ts';
import { describeStretch, gapsBetween, listStretches, type NotLookedAt, type Stretch } from './stretches.ts';
import { type Texts, textsOf } from './texts.ts';

export interface RowChangesRequest {
  database: string;
  /** As SQL writes it; without a schema, of `public`. */
  table: string;
  key: string | undefined;
  from: string | undefined;
  to: string | undefined;
  limit: number;
  cursor: string | undefined;
}

export interface RowChangesDependencies {
  target: ConnectionTarget;
  store: ObjectStore;
  table: StateTable;
  /** How long it may look, in milliseconds; what is left is for another page. */
  timeMs: number;
  signal: AbortSignal;
}

const HOUR_MS = 3_600_000;
const CONNECT_MS = 5_000;
/** Of the time, for finding out what the table was called. */
const RENAMES_SHARE = 0.4;
/** Of the time, at least for looking through segments, however long all else took. */
const SCAN_SHARE = 0.5;
/** Of an answer, in characters: API Gateway and Lambda take 6 MB. */
const MOST_CHARACTERS = 2_000_000;
const RENAMING: ReadonlySet<string> = new Set(['ALTER TABLE', 'ALTER SCHEMA']);

/** What the server says of the table as it is now; null where there is none of the name, or no server. */
interface TableNow {
  key: string[];
  partitions: TableName[];
}

/**
 * Lists what happened to a row, or to all rows of a table, in the order of the commits: reads the stored segments as a stream, and keeps one
 * page. Names are those of now; the table and its columns are followed through the renames that the segments tell of.
 *
 * @throws OperationError `invalid_cursor`, `invalid_request`, or one of the store
 */
export async function listRowChanges(
  request: RowChangesRequest,
  { target, store, table: state, timeMs, signal }: RowChangesDependencies,
): Promise<RowChangesAnswer> {
  const began = performance.now();
  const { database, limit } = request;
  const notes: string[] = [];
  const to = request.to === undefined ? null : toMicroseconds(request.to);
  const from = toMicroseconds(
    request.from ?? new Date((to === null ? Date.now() : Date.parse(to)) - HOUR_MS).toISOString(),
  );
  const cursor = request.cursor === undefined ? null : decodeCursor(request.cursor);
  const asked = parseTable(request.table);
  const client = await openServer(target, notes);
  try {
    const stretches = await listStretches(database, from, { store, table: state, signal });
    const encoding = await encodingOf(store, stretches, signal);
    const texts = textsOf(encoding, client);
    const [schema = '', name = ''] = await texts.toBytes([asked.schema, asked.name]);
    const now = client && (await readTable(client, asked));
    const renames = await findRenames(stretches, { store, signal }, began + timeMs * RENAMES_SHARE, notes);
    const followed = followTable({ schema, name }, renames, now !== null);
    const key = await keyOf(request.key, now, cursor, texts);
    const matcher = rowMatcher(followed, now?.partitions ?? [], key);
    const masked = await maskedColumns(state, database, followed.states, texts);
    const isMasked = (column: string): boolean =>
      masked.has(column) || masked.has(columnNow(followed, column, matcher.state));
    const page = await readPage(
      stretches,
      { matcher, isMasked, from, to, limit, cursor },
      { store, signal, deadline: Math.max(began + timeMs, performance.now() + timeMs * SCAN_SHARE) },
    );
    if (matcher.untold > 0) {
      notes.push(
        `${matcher.untold} changes do not tell which row they are of, as their table had no replica identity or another key; without "key" they are listed`,
      );
    }
    const end = to ?? stretches.at(-1)?.to ?? from;
    const text = await texts.fromBytes([
      ...followed.states.flatMap(({ schema: s, name: n }) => [s, n]),
      ...page.items.flatMap(({ shown, table }) => [...textsIn(shown), table.schema, table.name]),
    ]);
    const shownName = ({ schema: s, name: n }: TableName): string => `${text(s)}.${text(n)}`;
    return {
      database,
      table: shownName(followed.states.at(-1) ?? { schema, name }),
      from,
      to: end,
      names: followed.events.flatMap(({ rename, lsn }, index) =>
        rename.kind === 'column' ? [] : [{ table: shownName(followed.states[index] ?? asked), until_lsn: lsn }],
      ),
      items: page.items.map(({ shown: { operation, before, after }, table, ...rest }) => ({
        ...rest,
        table: shownName(table),
        operation,
        before: writeRow(before, text),
        after: writeRow(after, text),
      })),
      next_cursor: page.next && encodeCursor(page.next),
      not_looked_at: [...gapsBetween(stretches, from, end), ...page.notLookedAt],
      notes,
    };
  } finally {
    await client?.end().catch(() => undefined);
  }
}

async function openServer(target: ConnectionTarget, notes: string[]): Promise<pg.Client | null> {
  try {
    return await connect(target, { kind: 'catalog', statementTimeoutMs: CONNECT_MS });
  } catch (error) {
    if (!(error instanceof OperationError)) throw error;
    notes.push(
      `The server could not be asked for the key and the partitions of the table: ${error.message}. Partitions are not looked for`,
    );
    return null;
  }
}

const ofHex = (text: string): string => Buffer.from(text, 'hex').toString('latin1');

async function readTable(client: pg.Client, { schema, name }: TableName): Promise<TableNow | null> {
  const { rows } = await client.query<{ key: string[]; partitions: TableName[] }>(rowTableSql, [schema, name]);
  const [row] = rows;
  if (!row) return null;
  return {
    key: row.key.map(ofHex),
    partitions: row.partitions.map((each) => ({ schema: ofHex(each.schema), name: ofHex(each.name) })),
  };
}

async function encodingOf(store: ObjectStore, stretches: readonly Stretch[], signal: AbortSignal): Promise<string> {
  for (const stretch of stretches) {
    for await (const { encoding } of describeStretch(store, stretch, null, signal)) return encoding;
  }
  return 'UTF8';
}

async function findRenames(
  stretches: readonly Stretch[],
  { store, signal }: { store: ObjectStore; signal: AbortSignal },
  deadline: number,
  notes: string[],
): Promise<CommittedRename[]> {
  const found: CommittedRename[] = [];
  for (const stretch of stretches) {
    if (!stretch.record.follows_definitions) {
      notes.push(`Changes of definitions were not captured with the slot ${stretch.of.slot}: renames are not known`);
      continue;
    }
    const verify = verifierOf(stretch.record);
    for await (const description of describeStretch(store, stretch, null, signal)) {
      if (performance.now() > deadline) {
        notes.push(
          `The time did not allow to look for renames after ${description.captured_at}: ask for a shorter time`,
        );
        return found;
      }
      if (!description.definition_changes.some(({ tag }) => tag !== null && RENAMING.has(tag))) continue;
      for await (const rename of readRenames(store, description, verify, signal)) found.push(rename);
    }
  }
  return found;
}

async function keyOf(
  text: string | undefined,
  now: TableNow | null,
  cursor: Position | null,
  texts: Texts,
): Promise<{ columns: readonly string[]; keys: string[][] } | null> {
  if (text === undefined) return null;
  const given = parseKey(text);
  const columns = given.columns === null ? (now?.key ?? []) : await texts.toBytes(given.columns);
  if (columns.length !== given.values.length) throw keyUnknown(now === null, columns);
  return { columns, keys: cursor && cursor.keys.length > 0 ? cursor.keys : [await texts.toBytes(given.values)] };
}

function keyUnknown(isGone: boolean, columns: readonly string[]): OperationError {
  return new OperationError(
    'invalid_request',
    isGone
      ? 'There is no such table now, so that the columns of its key are not known'
      : `The key of the table has ${columns.length} columns, and one value is given`,
    'Name the columns: key={"id":"42"}.',
  );
}

/** Columns that have a mask under any name of the table. */
async function maskedColumns(
  state: StateTable,
  database: string,
  names: readonly TableName[],
  texts: Texts,
): Promise<ReadonlySet<string>> {
  const { rules } = await readMasking(state, database);
  const bytes = await texts.toBytes(rules.flatMap(({ schema, table, column }) => [schema, table, column]));
  const columns = rules.flatMap((_, index) => {
    const [schema, name, column = ''] = bytes.slice(index * 3, index * 3 + 3);
    return names.some((each) => each.schema === schema && each.name === name) ? [column] : [];
  });
  return new Set(columns);
}

interface PageItem {
  at: string;
  transaction: string;
  lsn: Lsn;
  table: TableName;
  shown: ShownChange;
}

interface Page {
  items: PageItem[];
  /** Where the next page begins; null: this is the last. */
  next: Position | null;
  notLookedAt: NotLookedAt[];
}

async function readPage(
  stretches: readonly Stretch[],
  asked: {
    matcher: RowMatcher;
    isMasked: (column: string) => boolean;
    from: string;
    to: string | null;
    limit: number;
    cursor: Position | null;
  },
  { store, signal, deadline }: { store: ObjectStore; signal: AbortSignal; deadline: number },
): Promise<Page> {
  const { matcher, isMasked, from, to, limit, cursor } = asked;
  const items: PageItem[] = [];
  let characters = 0;
  let next: Position | null = null;
  let isOver = false;
  /** Whether this page has looked through a segment. */
  let hasMoved = false;
  // The request names the first again.
  const keys = (): string[][] => (matcher.keys.length > 1 ? matcher.keys.map((values) => [...values]) : []);
  const rest = AbortSignal.any([signal, AbortSignal.timeout(Math.max(1, Math.ceil(deadline - performance.now())))]);

  for (const stretch of stretches) {
    const { slot } = stretch.of;
    if (cursor && slot < cursor.slot) continue;
    const start = cursor?.slot === slot ? cursor : null;
    let after = start?.after ?? stretch.record.lsn;
    let skip = start?.skip ?? 0;
    matcher.startAt(slot, start ? start.after : null);
    for await (const description of describeStretch(store, stretch, start?.after ?? null, signal)) {
      const position = (): Position => ({ slot, after, skip, keys: keys() });
      if (to !== null && description.first_commit_at !== null && description.first_commit_at > to) isOver = true;
      if (isOver) break;
      if (!mayHold(description, matcher)) {
        after = description.last_lsn;
        skip = 0;
        continue;
      }
      const before = after;
      try {
        const wentOn = await scanSegment(
          store,
          description,
          {
            isWanted: matcher.isWanted,
            matches: matcher.matches,
            after,
            skip,
            mostKept: () => limit - items.length,
            onCommit: ({ xid, lsn, committedAt, found, before: passed, more }) => {
              if (to !== null && committedAt > to) {
                isOver = true;
                return false;
              }
              const isInside = committedAt >= from;
              for (const [index, { change, table }] of (isInside ? found : []).entries()) {
                const shown = showChange(change, isMasked);
                for (const text of textsIn(shown)) characters += text.length;
                items.push({ at: committedAt, transaction: String(xid), lsn, table, shown });
                const isFull = items.length >= limit || characters > MOST_CHARACTERS;
                const left = found.length - index - 1 + more;
                if (isFull && left > 0) {
                  skip = passed + index + 1;
                  next = position();
                  return false;
                }
              }
              matcher.committed(xid);
              after = lsn;
              skip = 0;
              if (items.length >= limit || characters > MOST_CHARACTERS || performance.now() > deadline) {
                next = position();
                return false;
              }
              return true;
            },
          },
          rest,
        );
        if (!wentOn) break;
        after = description.last_lsn;
        skip = 0;
        hasMoved = true;
      } catch (error) {
        if (signal.aborted || !rest.aborted) throw error;
        // Another page has all of its time for it.
        if (hasMoved || after !== before) return { items, next: position(), notLookedAt: [] };
        // Nothing would be gained by trying again.
        after = description.last_lsn;
        skip = 0;
        const reason = `A transaction in the segment ${description.first_lsn}-${description.last_lsn} is too large to be looked through in the time of a request`;
        const { first_commit_at: first, captured_at: last } = description;
        return { items, next: position(), notLookedAt: [{ from: first ?? last, to: last, reason }] };
      }
      if (performance.now() > deadline) return { items, next: position(), notLookedAt: [] };
    }
    if (isOver || next) break;
  }
  return { items, next, notLookedAt: [] };
}

/** Whether a segment can have changes of the table, as far as its description tells: a truncation may be counted for another table. */
function mayHold({ object, tables, definition_changes: changes }: SegmentDescription, matcher: RowMatcher): boolean {
  if (object === null) return false;
  if (changes.length > 0) return true;
  return tables.some(({ table, truncates }) => truncates > 0 || matcher.mayBe(table));
}
