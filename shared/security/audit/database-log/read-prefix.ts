/** NAMEDATALEN - 1: the server cuts longer names off, also what a session calls itself. */
export const MAX_NAME_BYTES = 63;

/** Before the names, `log_line_prefix` of RDS and Aurora, which cannot be changed there: `%t:%r:%u@%d:[%p]:`, then the level. */
const BEFORE =
  /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [A-Za-z0-9+:-]{1,10}?:(?<address>\[local\]|[0-9A-Za-z.:%-]*)(?:\(\d+\))?:(?=[^@\n]*@)/;
/** What follows the names. */
const AFTER = /:\[\d+\]:(?<level>[A-Z]+): +/g;

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
 * Reads the prefix of a line. Names may hold everything that stands between them, and whoever tries to log in gives any names: what looks like the end
 * of the prefix may be a part of a name, or of the message. A name has at most 63 bytes, and most messages repeat the names. So of several ends the
 * last one counts whose names fit and are repeated.
 *
 * @returns null with another prefix; `ambiguous` where another reading fits as well
 */
export function readPrefix(line: string): LinePrefix | 'ambiguous' | null {
  const before = BEFORE.exec(line);
  if (!before) return null;
  const { address = '' } = before.groups ?? {};
  const rest = line.slice(before[0].length);
  const ends = [...rest.matchAll(AFTER)].map((end) => readingsOf(rest, end)).filter((readings) => readings.length > 0);
  const [first] = ends;
  if (!first) return null;
  const chosen = ends.findLast((readings) => readings.some(isSure)) ?? first;
  // What looks like an end within a name that the message repeats is none. Behind that, a name looks like a prefix, and nothing repeats it.
  const until = Math.max(...chosen.map(({ confirms }) => confirms.until));
  if (ends.slice(ends.indexOf(chosen) + 1).some(([reading]) => (reading?.names.length ?? 0) > until))
    return 'ambiguous';
  return { address, ...choose(chosen) };
}

/** Splits `user@database`, where either may have an @ in it, by what the message repeats. @returns null where neither can be a name */
export function splitNames(names: string, said: string): Pick<LinePrefix, 'user' | 'database' | 'asLogged'> | null {
  const readings = splits(names, { level: '', said }, 0);
  if (readings.length === 0) return null;
  const { user, database, asLogged } = choose(readings);
  return { user, database, asLogged };
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
function isSure({ user, database, names, confirms }: Reading): boolean {
  if (!looksLikePrefix(names)) return true;
  if (!confirms.user && !confirms.database) return false;
  return (confirms.user || !looksLikePrefix(user)) && (confirms.database || !looksLikePrefix(database));
}

const looksLikePrefix = (name: string): boolean => name.search(AFTER) >= 0;

function readingsOf(rest: string, end: RegExpExecArray): Reading[] {
  const start = end.index + end[0].length;
  return splits(rest.slice(0, end.index), { said: rest.slice(start), level: end.groups?.level ?? '' }, start);
}

/** All pairs of names that fit. @param start - of the message within the line */
function splits(names: string, { said, level }: Pick<Reading, 'said' | 'level'>, start: number): Reading[] {
  const readings: Reading[] = [];
  for (let at = names.indexOf('@'); at >= 0; at = names.indexOf('@', at + 1)) {
    const [user, database] = [names.slice(0, at), names.slice(at + 1)];
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
