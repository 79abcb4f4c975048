import type { PrefixShape } from './line-prefix.ts';

/** NAMEDATALEN - 1: the server cuts longer names off, also what a session calls itself. */
export const MAX_NAME_BYTES = 63;

/** Longer than all that may come between the beginning of the names and the message: three names, numbers and times. */
const MAX_PREFIX_CHARACTERS = 1000;

export interface LinePrefix {
  /** Empty and `[local]`: a socket of the server's machine. */
  address: string;
  user: string;
  /** Name of the database on the server. */
  database: string;
  /** The two names as the log has them, `user@database`, where it cannot be told for certain which is which; null otherwise. */
  asLogged: string | null;
  level: string;
  /** The rest of the line. */
  said: string;
}

/** One way to read a line. */
interface Reading extends Pick<LinePrefix, 'user' | 'database' | 'level' | 'said'> {
  names: string;
  /** Which of the two names the message repeats as they were read. */
  confirms: Confirmed;
}

interface Confirmed {
  user: boolean;
  database: boolean;
  /** Where in the line the message has repeated them. */
  until: number;
}

/**
 * Reads the prefix of a line. Names may hold everything that stands between them, and whoever tries to log in gives any names; a session calls itself
 * whatever it likes: what looks like the end of the prefix may be a part of a name, or of the message. A name has at most 63 bytes, and most messages
 * repeat the names. So of several ends the last one counts whose names fit and are repeated.
 *
 * @returns null with another prefix, and where it names nobody; `ambiguous` where another reading fits as well, or none
 */
export function readPrefix(line: string, shape: PrefixShape): LinePrefix | 'ambiguous' | null {
  const before = shape.before.exec(line);
  if (!before) return null;
  const rest = line.slice(before[0].length);
  const [first = ''] = rest.split('\n');
  if (!first.includes(shape.between)) return null;
  const ends = endsOf(rest, shape)
    .map((end) => ({ end, readings: readingsOf(rest, end, shape) }))
    .filter(({ readings }) => readings.length > 0);
  const [earliest] = ends;
  // A process that serves no session has no names, and ends its prefix early.
  if (!earliest) return rest.startsWith(shape.between) ? null : 'ambiguous';
  const chosen = ends.findLast(({ readings }) => readings.some((reading) => isSure(reading, shape))) ?? earliest;
  const { end } = chosen;
  // The name of the application is repeated by nothing that could be trusted.
  if (ends.some((other) => other !== chosen && (other.end.names === end.names || other.end.message === end.message)))
    return 'ambiguous';
  // What looks like an end within a name that the message repeats is none. Behind that, a name looks like a prefix, and nothing repeats it.
  const until = Math.max(...chosen.readings.map(({ confirms }) => confirms.until));
  if (ends.slice(ends.indexOf(chosen) + 1).some((other) => other.end.names > until)) return 'ambiguous';
  const address = before.groups?.address ?? end.address;
  return { address, ...choose(chosen.readings) };
}

/** What may be the end of a prefix. */
interface End {
  /** Where the names end. */
  names: number;
  /** Where the message begins. */
  message: number;
  level: string;
  address: string;
}

function endsOf(rest: string, { next, last }: PrefixShape): End[] {
  const text = rest.slice(0, MAX_PREFIX_CHARACTERS);
  const ends: End[] = [];
  const afterNames = [...overlapping(text, next)];
  const beforeMessage = last === null ? null : [...overlapping(text, last)];
  for (const found of afterNames) {
    const from = found.index + found[0].length;
    for (const ending of beforeMessage ?? [found]) {
      if (
        beforeMessage &&
        (ending.index < from ||
          !isName(text.slice(from, ending.index)) ||
          text.slice(from, ending.index).includes('\n'))
      )
        continue;
      const { level = '', address = '' } = ending.groups ?? {};
      ends.push({ names: found.index, message: ending.index + ending[0].length, level, address });
    }
  }
  return ends.sort((a, b) => a.names - b.names || a.message - b.message);
}

/** All places where a pattern fits, also those that begin within another. */
function* overlapping(text: string, pattern: RegExp): Generator<RegExpExecArray> {
  const own = new RegExp(pattern.source, 'g');
  for (let found = own.exec(text); found; found = own.exec(text)) {
    yield found;
    own.lastIndex = found.index + 1;
  }
}

function choose(chosen: readonly Reading[]): Omit<LinePrefix, 'address'> {
  const sure = chosen.filter(({ confirms }) => confirms.user || confirms.database);
  // The last: names of roles with an @ (alice@EXAMPLE.COM of Kerberos) are more common than such names of databases.
  const { user, database, level, said, names } = (sure.at(-1) ?? chosen.at(-1)) as Reading;
  return {
    user,
    database,
    asLogged: chosen.length === 1 || sure.length === 1 ? null : names,
    level,
    said,
  };
}

/** Whether each name that could be mistaken for a prefix is repeated by the message. */
function isSure({ user, database, names, confirms }: Reading, { next }: PrefixShape): boolean {
  const looksLikePrefix = (name: string): boolean => name.search(next) >= 0;
  if (!looksLikePrefix(names)) return true;
  if (!confirms.user && !confirms.database) return false;
  return (confirms.user || !looksLikePrefix(user)) && (confirms.database || !looksLikePrefix(database));
}

function readingsOf(rest: string, { names, message, level }: End, { between }: PrefixShape): Reading[] {
  return splits(rest.slice(0, names), between, { said: rest.slice(message), level }, message);
}

/** All pairs of names that fit. @param start - of the message within the line */
function splits(
  names: string,
  between: string,
  { said, level }: Pick<Reading, 'said' | 'level'>,
  start: number,
): Reading[] {
  const readings: Reading[] = [];
  for (let at = names.indexOf(between); at >= 0; at = names.indexOf(between, at + 1)) {
    const [user, database] = [names.slice(0, at), names.slice(at + between.length)];
    if (names.includes('\n') || !isName(user) || !isName(database)) continue;
    const confirms = confirmedBy(said, user, database);
    if (confirms)
      readings.push({ user, database, level, said, names, confirms: { ...confirms, until: start + confirms.until } });
  }
  return readings;
}

const isName = (text: string): boolean => Buffer.byteLength(text) <= MAX_NAME_BYTES;

/** Which names a message repeats, and where; null when it has another one in the place of one. */
function confirmedBy(said: string, user: string, database: string): Confirmed | null {
  const [line = ''] = said.split('\n');
  const start = (of: 'both' | 'user' | 'database', text: string): Confirmed | null =>
    found(of, `${line} `.startsWith(text) ? 0 : -1, text);
  const within = (of: 'both' | 'user', text: string): Confirmed | null => found(of, line.indexOf(text), text);
  if (line.startsWith('connection authorized: '))
    return start('both', `connection authorized: user=${user} database=${database} `);
  if (line.startsWith('replication connection authorized: '))
    return start('user', `replication connection authorized: user=${user} `);
  if (line.startsWith('disconnection: ')) return within('both', ` user=${user} database=${database} host=`);
  if (/^(?:no pg_hba\.conf entry|pg_hba\.conf rejects) /.test(line))
    return within('both', `user "${user}", database "${database}"`) ?? within('user', `user "${user}"`);
  const [ofUser] = /^(?:[\w-]+ authentication failed for user|role) "/i.exec(line) ?? [];
  if (ofUser !== undefined) return start('user', `${ofUser}${user}"`);
  const [ofDatabase] = /^(?:permission denied for )?database "/.exec(line) ?? [];
  if (ofDatabase !== undefined) return start('database', `${ofDatabase}${database}"`);
  return { user: false, database: false, until: 0 };
}

function found(of: 'both' | 'user' | 'database', at: number, text: string): Confirmed | null {
  return at < 0 ? null : { user: of !== 'database', database: of !== 'user', until: at + text.length };
}
