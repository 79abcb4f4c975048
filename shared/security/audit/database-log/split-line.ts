import { parse } from 'csv-parse/sync';
import { readablePrefixes } from '../../../platforms/platforms.ts';
import { shapeOf } from './line-prefix.ts';
import { readPrefix } from './read-prefix.ts';

/** Who a line of a server's log is about, and what it says. */
export interface SplitLine {
  /** Empty and `[local]`: a socket of the server's machine. */
  address: string;
  user: string;
  database: string;
  /** Severity, such as LOG. */
  level: string;
  message: string;
  /** The two names as the log has them, `user@database`, where it cannot be told for certain which is which. */
  asLogged?: string | null;
  /** Another reading fits as well: `message` is the whole line. */
  isAmbiguous?: boolean;
}

const shapes = readablePrefixes.map((prefix) => {
  const shape = shapeOf(prefix);
  if (!shape) throw new Error(`Lines with ${prefix} cannot be read`);
  return shape;
});

/**
 * Splits a line of any format that a server can write its log in: with one of the known prefixes, as CSV, or as JSON.
 *
 * @returns null where the line has none of them: it may be a further line of a message
 */
export function splitLine(line: string): SplitLine | null {
  return line.startsWith('{') ? fromJson(line) : (fromPrefix(line) ?? fromCsv(line));
}

function fromPrefix(line: string): SplitLine | null {
  for (const shape of shapes) {
    const read = readPrefix(line, shape);
    if (read === 'ambiguous')
      return { address: '', user: '', database: '', level: 'LOG', message: line, isAmbiguous: true };
    if (read) return { ...read, message: read.said };
  }
  return null;
}

/** Columns of csvlog up to the message: PostgreSQL documentation, "Using CSV-Format Log Output". */
const COLUMNS = { user: 1, database: 2, address: 4, level: 11, message: 13 } as const;
const CSV = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} [A-Za-z0-9+:-]{1,10},/;

function fromCsv(line: string): SplitLine | null {
  if (!CSV.test(line)) return null;
  const row = firstRow(line);
  if (!row || row.length <= COLUMNS.message) return null;
  const [user = '', database = '', address = '', level = '', message = ''] = Object.values(COLUMNS).map(
    (at) => row[at],
  );
  return { user, database, level, message, address: address.replace(/:\d+$/, '') };
}

/** https://www.postgresql.org/docs/current/runtime-config-logging.html, "Using JSON-Format Log Output" */
function fromJson(line: string): SplitLine | null {
  try {
    const told = JSON.parse(line) as Record<string, unknown>;
    const text = (key: string): string => (typeof told[key] === 'string' ? told[key] : '');
    if (text('error_severity') === '') return null;
    return {
      user: text('user'),
      database: text('dbname'),
      address: text('remote_host'),
      level: text('error_severity'),
      message: text('message'),
    };
  } catch {
    return null;
  }
}

/** A statement may be cut off, and with it its closing quotation mark. */
export function firstRow(csv: string): string[] | undefined {
  for (const text of [csv, `${csv}"`]) {
    try {
      const rows = parse(text, { relax_column_count: true, to: 1 }) as string[][];
      return rows[0];
    } catch {
      // Tried with a quotation mark once more.
    }
  }
  return undefined;
}
