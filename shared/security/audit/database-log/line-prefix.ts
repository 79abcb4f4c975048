const TIME = String.raw`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`;
const ZONE = '[A-Za-z0-9+:-]{1,10}?';
const ADDRESS = String.raw`\[local\]|[0-9A-Za-z.:%-]*`;

/** Escapes of `log_line_prefix` (PostgreSQL documentation, "Error Reporting and Logging"); any other matches anything. */
const escapes: Readonly<Record<string, string>> = {
  t: `${TIME} ${ZONE}`,
  s: `${TIME} ${ZONE}`,
  m: String.raw`${TIME}\.\d{3} ${ZONE}`,
  n: String.raw`\d+\.\d{3}`,
  r: String.raw`(?<address>${ADDRESS})(?:\(\d+\))?`,
  h: `(?<address>${ADDRESS})`,
  p: String.raw`\d+`,
  P: String.raw`\d*`,
  l: String.raw`\d+`,
  e: '[0-9A-Z]{5}',
  v: String.raw`[-\d/]*`,
  x: String.raw`\d+`,
  c: String.raw`[0-9a-f]+\.[0-9a-f]+`,
  Q: String.raw`-?\d+`,
  // What follows is left out by processes that serve no session, and only these lines are read.
  q: '',
  '%': '%',
};

const literal = (text: string): string => text.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, String.raw`\$&`);

/** Where in lines of a `log_line_prefix` the names are: of the user, of the database, and of the application where it comes behind them. */
export interface PrefixShape {
  /** What comes before the names, from the beginning of a line. May have the group `address`. */
  before: RegExp;
  /** What stands between the user and the database. */
  between: string;
  /** What follows the database, up to the application; or, without one, up to the message, as {@link last}. */
  next: RegExp;
  /** What follows the application, up to the message, with the group `level` and maybe `address`; null where there is no application. */
  last: RegExp | null;
}

const LEVEL = '(?<level>[A-Z]+): +';

/** @returns null for a prefix without the two names, or with something else than text between them */
export function shapeOf(prefix: string): PrefixShape | null {
  const parts = [...prefix.matchAll(/%-?\d*([A-Za-z%])|([^%]+)/g)].map(([, letter, text]) => ({ letter, text }));
  const user = parts.findIndex(({ letter }) => letter === 'u');
  const between = parts[user + 1]?.text;
  if (user < 0 || between === undefined || parts[user + 2]?.letter !== 'd') return null;
  const after = parts.slice(user + 3);
  const application = after.findIndex(({ letter }) => letter === 'a');
  const pattern = (some: typeof parts): string =>
    some
      .map(({ letter, text }) => (text === undefined ? (escapes[letter ?? ''] ?? String.raw`[^\n]*?`) : literal(text)))
      .join('');
  return {
    before: new RegExp(`^${pattern(parts.slice(0, user))}`),
    between,
    next: new RegExp(application < 0 ? pattern(after) + LEVEL : pattern(after.slice(0, application)), 'g'),
    last: application < 0 ? null : new RegExp(pattern(after.slice(application + 1)) + LEVEL, 'g'),
  };
}

/** Whether a prefix tells who did what from where, so that lines with it can join the audit trail. */
export function tellsWho(prefix: string): boolean {
  return [/%-?\d*u/, /%-?\d*d/, /%-?\d*[hr]/].every((part) => part.test(prefix));
}
