/** What a prefix tells of a line, as far as it does. */
export interface PrefixParts {
  /** As the server writes it; empty and `[local]` for a socket of its machine. */
  address: string;
  user: string;
  database: string;
  application: string;
  /** Severity, such as LOG. */
  level: string;
  /** Of the message within the line. */
  at: number;
}

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
  a: String.raw`(?<application>[^\n]*?)`,
  // What follows is left out by processes that serve no session, and only these lines are read.
  q: '',
  '%': '%',
};

const names: Readonly<Record<string, string>> = { u: 'user', d: 'database' };

const literal = (text: string): string => text.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, String.raw`\$&`);

/** Reads the prefix of lines; null where a line has another one. */
export type PrefixReader = (line: string) => PrefixParts | null;

/**
 * A reader for lines that a server writes with this `log_line_prefix`. A name of a user or a database ends at the character that the
 * prefix has behind it.
 */
export function readerOfPrefix(prefix: string): PrefixReader {
  const parts = [...prefix.matchAll(/%-?\d*([A-Za-z%])|([^%]+)/g)];
  const seen = new Set<string>();
  const pattern = parts.map(([, letter, text], index) => {
    if (text !== undefined) return literal(text);
    const key = letter ?? '';
    const name = names[key];
    const known = escapes[key] ?? String.raw`[^\n]*?`;
    const next = parts[index + 1]?.[2]?.[0];
    const written =
      name === undefined
        ? known
        : `(?<${name}>${next === undefined ? String.raw`[^\n]*?` : `[^${literal(next)}\\n]*`})`;
    // A second one of a kind cannot have the name of the first.
    const [, group] = /\(\?<(\w+)>/.exec(written) ?? [];
    if (group === undefined || !seen.has(group)) {
      if (group !== undefined) seen.add(group);
      return written;
    }
    return written.replaceAll(/\?<\w+>/g, '?:');
  });
  const line = new RegExp(`^${pattern.join('')}(?<level>[A-Z]+): +`);
  return (text) => {
    const found = line.exec(text);
    if (!found?.groups) return null;
    const { address = '', user = '', database = '', application = '', level = '' } = found.groups;
    return { address, user, database, application, level, at: found[0].length };
  };
}

/** Whether a prefix tells who did what from where, so that lines with it can join the audit trail. */
export function tellsWho(prefix: string): boolean {
  return [/%-?\d*u/, /%-?\d*d/, /%-?\d*[hr]/].every((part) => part.test(prefix));
}
