import { qualifiedEnd } from './names.ts';
import { NEW_TUPLE, type Tuple, type TupleReader, tupleReader } from './tuple.ts';

/** One line of `test_decoding`. Tables are named as the server writes them: qualified, quoted where they must be. */
export type DecodedLine =
  | { kind: 'begin'; xid: number }
  | { kind: 'commit'; xid: number; committedAt: string }
  | { kind: 'insert'; table: string; row: Tuple }
  /** `old` is there when the key changed, and always with the replica identity FULL. */
  | { kind: 'update'; table: string; old: Tuple | null; row: Tuple }
  /** `old` is the key, or the row; null where the table has no replica identity. */
  | { kind: 'delete'; table: string; old: Tuple | null }
  | { kind: 'truncate'; tables: string[]; cascade: boolean; restartSequences: boolean }
  /** Content is COPY text still. */
  | { kind: 'message'; transactional: boolean; prefix: string; content: string };

const NO_TUPLE = ' (no-tuple-data)';
const OLD_KEY = ' old-key:';

/**
 * Makes a decoder of what `test_decoding` writes with `include-xids`, `include-timestamp` and without `skip-empty-xacts`, as COPY
 * text read as latin1 (contrib/test_decoding/test_decoding.c; the same from version 13 to 18).
 *
 * @returns decodes the line that begins at `at`
 * @throws Error (the decoder) on any text that is not of this form: nothing is passed over
 * @example
 * decoder()("table public.t: INSERT: id[integer]:1 note[text]:'it''s'")
 * // { kind: 'insert', table: 'public.t', row: { columns: ['id', 'note'], values: ['1', "it's"] } }
 */
export function decoder(): (line: string, at?: number) => DecodedLine {
  const readers = new Map<string, { row: TupleReader; old: TupleReader }>();
  const readersOf = (table: string) => {
    const known = readers.get(table);
    if (known) return known;
    const made = { row: tupleReader(), old: tupleReader() };
    readers.set(table, made);
    return made;
  };
  const whole = (read: TupleReader, line: string, at: number): Tuple => {
    const { tuple, end } = read(line, at);
    if (end !== line.length) throw new Error('There is more in the line than a row');
    return tuple;
  };

  const change = (line: string, start: number): DecodedLine => {
    const end = qualifiedEnd(line, start);
    const table = line.slice(start, end);
    if (line.startsWith(': INSERT:', end)) {
      return { kind: 'insert', table, row: whole(readersOf(table).row, line, end + 9) };
    }
    if (line.startsWith(': UPDATE:', end)) {
      const { row, old } = readersOf(table);
      let at = end + 9;
      let before: Tuple | null = null;
      if (line.startsWith(OLD_KEY, at)) {
        const found = old(line, at + OLD_KEY.length);
        before = found.tuple;
        at = found.end + 1;
        if (!line.startsWith(NEW_TUPLE, at)) throw new Error('An update has no new row');
        at += NEW_TUPLE.length;
      }
      return { kind: 'update', table, old: before, row: whole(row, line, at) };
    }
    if (line.startsWith(': DELETE:', end)) {
      const at = end + 9;
      const old = line.startsWith(NO_TUPLE, at) && line.length === at + NO_TUPLE.length;
      return { kind: 'delete', table, old: old ? null : whole(readersOf(table).old, line, at) };
    }
    return truncation(line, start);
  };

  return (line, at = 0) => {
    if (line.startsWith('table ', at)) return change(line, at + 6);
    if (line.startsWith('BEGIN ', at)) return { kind: 'begin', xid: number(line.slice(at + 6)) };
    if (line.startsWith('COMMIT ', at)) {
      const parts = /^COMMIT (\d+) \(at (.+)\)$/.exec(line.slice(at));
      if (!parts) throw new Error('A commit is not written as expected');
      return { kind: 'commit', xid: Number(parts[1]), committedAt: parts[2] ?? '' };
    }
    if (line.startsWith('message: ', at)) return message(line.slice(at));
    throw new Error('A line begins as none of test_decoding does');
  };
}

function number(text: string): number {
  if (!/^\d+$/.test(text)) throw new Error('A transaction has no number');
  return Number(text);
}

function truncation(line: string, start: number): DecodedLine {
  const tables: string[] = [];
  let at = start;
  for (;;) {
    const end = qualifiedEnd(line, at);
    tables.push(line.slice(at, end));
    at = end;
    if (!line.startsWith(', ', at)) break;
    at += 2;
  }
  const flags = /^: TRUNCATE:( restart_seqs)?( cascade)?( \(no-flags\))?$/.exec(line.slice(at));
  if (!flags) throw new Error('A change is none of INSERT, UPDATE, DELETE and TRUNCATE');
  return { kind: 'truncate', tables, restartSequences: flags[1] !== undefined, cascade: flags[2] !== undefined };
}

/** The prefix may hold anything but NUL; the size after it is of the content alone, which is the rest of the line. */
function message(line: string): DecodedLine {
  const parts = /^message: transactional: ([01]) prefix: (.*?), sz: (\d+) content:(.*)$/s.exec(line);
  if (!parts) throw new Error('A message is not written as expected');
  return { kind: 'message', transactional: parts[1] === '1', prefix: parts[2] ?? '', content: parts[4] ?? '' };
}

/** A commit's time as ISO 8601 in UTC with microseconds. The session that decodes has the time zone UTC. */
export function commitTime(text: string): string {
  const parts = /^(\d{4,}-\d\d-\d\d) (\d\d:\d\d:\d\d)(\.\d{1,6})?\+00$/.exec(text);
  if (!parts) throw new Error('A commit has no time in UTC');
  return `${parts[1]}T${parts[2]}.${(parts[3] ?? '.').slice(1).padEnd(6, '0')}Z`;
}
