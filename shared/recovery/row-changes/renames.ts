import type { DefinitionMessage } from '../../changes/definitions/message.ts';

/** A table by its schema and name, unquoted, with a character for each byte of the database's encoding. */
export interface TableName {
  schema: string;
  name: string;
}

/** What a command has renamed, as its text says. */
export type Rename =
  /** `schema` is null where the text did not say it: it is one of `path`. */
  | { kind: 'table'; schema: string | null; path: readonly string[]; from: string; to: string }
  | { kind: 'moved'; schema: string | null; path: readonly string[]; name: string; to: string }
  | { kind: 'schema'; from: string; to: string }
  | {
      kind: 'column';
      schema: string | null;
      path: readonly string[];
      table: string;
      from: string;
      to: string;
    };

const IDENTIFIER = '(?:"(?:[^"]|"")+"|[A-Za-z_\\x80-\\xff][\\w$\\x80-\\xff]*)';
const QUALIFIED = `(?:(${IDENTIFIER})\\s*\\.\\s*)?(${IDENTIFIER})`;
const TABLE = new RegExp(
  `\\bALTER\\s+TABLE\\s+(?:IF\\s+EXISTS\\s+)?(?:ONLY\\s+)?${QUALIFIED}\\s*\\*?\\s+` +
    `(?:RENAME\\s+TO\\s+(${IDENTIFIER})|RENAME\\s+(?:COLUMN\\s+)?(${IDENTIFIER})\\s+TO\\s+(${IDENTIFIER})|SET\\s+SCHEMA\\s+(${IDENTIFIER}))`,
  'gi',
);
const SCHEMA = new RegExp(`\\bALTER\\s+SCHEMA\\s+(${IDENTIFIER})\\s+RENAME\\s+TO\\s+(${IDENTIFIER})`, 'gi');
/** Texts that are no commands: comments and literals. */
const NO_COMMAND = /--[^\n]*|\/\*[\s\S]*?\*\/|'(?:[^']|'')*'/g;

/** The name that an identifier stands for. */
export function foldIdentifier(text: string): string {
  return text.startsWith('"')
    ? text.slice(1, -1).replaceAll('""', '"')
    : text.replace(/[A-Z]/g, (c) => c.toLowerCase());
}

/** Reads what a command has renamed from its text; of one in a function nothing is known. */
export function renamesOf({ event, tag, nested, query, role, settings }: DefinitionMessage): Rename[] {
  if (event !== 'end' || nested) return [];
  const text = query.replace(NO_COMMAND, ' ');
  if (tag === 'ALTER SCHEMA') {
    return [...text.matchAll(SCHEMA)].map(([, from = '', to = '']) => ({
      kind: 'schema',
      from: foldIdentifier(from),
      to: foldIdentifier(to),
    }));
  }
  if (tag !== 'ALTER TABLE') return [];
  const path = pathOf(settings.search_path ?? '', role);
  return [...text.matchAll(TABLE)].flatMap(([, schemaText, table = '', renamed, column, columnTo, moved]): Rename[] => {
    const schema = schemaText === undefined ? null : foldIdentifier(schemaText);
    const name = foldIdentifier(table);
    if (renamed !== undefined) return [{ kind: 'table', schema, path, from: name, to: foldIdentifier(renamed) }];
    if (moved !== undefined) return [{ kind: 'moved', schema, path, name, to: foldIdentifier(moved) }];
    if (column === undefined || columnTo === undefined) return [];
    return [{ kind: 'column', schema, path, table: name, from: foldIdentifier(column), to: foldIdentifier(columnTo) }];
  });
}

function pathOf(setting: string, role: string): string[] {
  return [...setting.matchAll(new RegExp(IDENTIFIER.replace('A-Za-z_', '$A-Za-z_'), 'g'))]
    .map(([text]) => foldIdentifier(text))
    .map((schema) => (schema === '$user' ? role : schema));
}

/** What renames of one transaction did, in the order of their commits. */
export interface CommittedRename {
  /** Whose changes it is among; names of slots sort by time. */
  slot: string;
  lsn: string;
  xid: bigint;
  rename: Rename;
}

/** A table through its renames: `states[n]` is what it was called when `events[n]`, the next rename of it, was not committed yet. */
export interface FollowedTable {
  events: readonly CommittedRename[];
  states: readonly TableName[];
}

const inSchema = (schema: string | null, path: readonly string[], of: string): boolean =>
  schema === null ? path.includes(of) : schema === of;

/** The name before a rename, of a table that has a name after it; null when it is not one of this table. */
function nameBefore(after: TableName, rename: Rename): TableName | null {
  switch (rename.kind) {
    case 'table':
      return rename.to === after.name && inSchema(rename.schema, rename.path, after.schema)
        ? { schema: after.schema, name: rename.from }
        : null;
    case 'moved':
      return rename.to === after.schema && rename.name === after.name
        ? { schema: rename.schema ?? rename.path.find((schema) => schema !== rename.to) ?? '', name: after.name }
        : null;
    case 'schema':
      return rename.to === after.schema ? { schema: rename.from, name: after.name } : null;
    case 'column':
      return rename.table === after.name && inSchema(rename.schema, rename.path, after.schema) ? after : null;
  }
}

function nameAfter(before: TableName, rename: Rename): TableName | null {
  switch (rename.kind) {
    case 'table':
      return rename.from === before.name && inSchema(rename.schema, rename.path, before.schema)
        ? { schema: before.schema, name: rename.to }
        : null;
    case 'moved':
      return rename.name === before.name && inSchema(rename.schema, rename.path, before.schema)
        ? { schema: rename.to, name: before.name }
        : null;
    case 'schema':
      return rename.from === before.schema ? { schema: rename.to, name: before.name } : null;
    case 'column':
      return rename.table === before.name && inSchema(rename.schema, rename.path, before.schema) ? before : null;
  }
}

/**
 * Follows a table through renames: the one that has the name at the end, and otherwise the last one that had it.
 *
 * @param exists - whether there is a table of that name now
 */
export function followTable(asked: TableName, renames: readonly CommittedRename[], exists: boolean): FollowedTable {
  let start = renames.length;
  if (!exists) {
    const given = renames.findLastIndex(({ rename }) => isGivenUp(asked, rename));
    if (given >= 0) start = given;
  }
  const events: CommittedRename[] = [];
  const states: TableName[] = [asked];
  let name = asked;
  for (const each of renames.slice(0, start).toReversed()) {
    const before = nameBefore(name, each.rename);
    if (!before) continue;
    name = before;
    events.unshift(each);
    states.unshift(name);
  }
  name = asked;
  for (const each of renames.slice(start)) {
    const after = nameAfter(name, each.rename);
    if (!after) continue;
    name = after;
    events.push(each);
    states.push(name);
  }
  return { events, states };
}

const isGivenUp = (asked: TableName, rename: Rename): boolean =>
  rename.kind !== 'column' && nameAfter(asked, rename) !== null;

/** What a column, as it is called at the end, was called before the event with this number. */
export function columnAt({ events }: FollowedTable, column: string, state: number): string {
  let name = column;
  for (let index = events.length - 1; index >= state; index -= 1) {
    const rename = events[index]?.rename;
    if (rename?.kind === 'column' && rename.to === name) name = rename.from;
  }
  return name;
}

/** What a column that had this name before the event with this number is called at the end. */
export function columnNow({ events }: FollowedTable, column: string, state: number): string {
  let name = column;
  for (const { rename } of events.slice(state)) {
    if (rename.kind === 'column' && rename.from === name) name = rename.to;
  }
  return name;
}
