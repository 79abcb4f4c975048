import { quoteIdentifier } from '../../postgres/identifiers.ts';
import type { SchemaEntry } from '../../postgres/pg-dump/schema-dump.ts';
import { type Token, tokens } from '../../postgres/tokens.ts';

/** Gives a role another name; undefined leaves it as it is. */
export type RenameRole = (name: string) => string | undefined;

/** Entries whose SQL names roles, beyond the owner's. */
const NAMING_ROLES = new Set(['ACL', 'DEFAULT ACL', 'POLICY', 'USER MAPPING']);
/** Words in a role's place that name none. */
const NO_ROLES = new Set(['public', 'current_user', 'session_user', 'current_role', 'default']);

/** The statement with which an entry's owner is set, as archive-entries.ts writes it: after all that pg_dump wrote. */
function ownerStatement(entry: SchemaEntry): { start: number; end: number } | undefined {
  if (entry.owner === null) return undefined;
  const ending = ` OWNER TO ${quoteIdentifier(entry.owner)};`;
  const at = entry.sql.lastIndexOf(ending);
  if (at < 0) return undefined;
  const start = entry.sql.lastIndexOf('ALTER ', at);
  return start < 0 ? undefined : { start, end: at + ending.length };
}

/** The entry without the statement that gives it an owner: it then belongs to the login. */
export function withoutOwner(entry: SchemaEntry): SchemaEntry {
  const found = ownerStatement(entry);
  return found
    ? { ...entry, owner: null, sql: entry.sql.slice(0, found.start) + entry.sql.slice(found.end) }
    : { ...entry, owner: null };
}

/** The entry with other names for roles: its owner, and whom its privileges, policies and user mappings name. */
export function renameRoles(entry: SchemaEntry, rename: RenameRole): SchemaEntry {
  let { sql, owner } = entry;
  const found = ownerStatement(entry);
  const newOwner = owner === null ? undefined : rename(owner);
  if (newOwner !== undefined) {
    if (found) {
      const statement = sql.slice(found.start, found.end);
      const kept = statement.slice(0, statement.length - quoteIdentifier(owner ?? '').length - 1);
      sql = `${sql.slice(0, found.start)}${kept}${quoteIdentifier(newOwner)};${sql.slice(found.end)}`;
    }
    owner = newOwner;
  }
  if (NAMING_ROLES.has(entry.type)) {
    for (const { name, start, end } of rolesIn(sql, entry.type).reverse()) {
      const replacement = rename(name);
      if (replacement !== undefined) sql = sql.slice(0, start) + quoteIdentifier(replacement) + sql.slice(end);
    }
  }
  return { ...entry, sql, owner };
}

/** Roles that creating the entry names: its owner, where one is set, and those of privileges, policies and user mappings. */
export function roleNames(entry: SchemaEntry): string[] {
  const owner = ownerStatement(entry) && entry.owner !== null ? [entry.owner] : [];
  return NAMING_ROLES.has(entry.type) ? [...owner, ...rolesIn(entry.sql, entry.type).map(({ name }) => name)] : owner;
}

interface RolePlace {
  name: string;
  start: number;
  end: number;
}

/**
 * Where roles stand in pg_dump's statements: after TO and FROM of GRANT and REVOKE, FOR ROLE of default privileges, SET SESSION
 * AUTHORIZATION, TO of a policy (a list, before its expressions), FOR of a user mapping.
 */
function rolesIn(sql: string, type: string): RolePlace[] {
  const places: RolePlace[] = [];
  let depth = 0;
  let expecting = false;
  let done = false;
  let previous = '';
  for (const token of tokens(sql)) {
    if (token.kind === 'space' || token.kind === 'comment') continue;
    const text = sql.slice(token.start, token.end);
    const word = token.kind === 'word' ? text.toLowerCase() : '';
    if (text === '(') depth += 1;
    if (text === ')') depth -= 1;
    if (text === ';' && depth === 0) {
      expecting = false;
      done = false;
    } else if (expecting && depth === 0 && (token.kind === 'word' || token.kind === 'quoted-name')) {
      if (!NO_ROLES.has(word)) places.push({ name: nameOf(token, text), start: token.start, end: token.end });
      expecting = false;
    } else if (type === 'POLICY' && text === ',' && depth === 0 && !done) expecting = true;
    else if (depth === 0 && !done) {
      expecting = precedesRole(type, word, previous);
      if (type === 'POLICY' && (word === 'using' || word === 'with')) done = true;
    }
    previous = word;
  }
  return places;
}

function precedesRole(type: string, word: string, previous: string): boolean {
  if (type === 'POLICY') return word === 'to';
  if (type === 'USER MAPPING') return word === 'for';
  return (
    word === 'to' ||
    word === 'from' ||
    (word === 'role' && previous === 'for') ||
    (word === 'authorization' && previous === 'session')
  );
}

const nameOf = ({ kind }: Token, text: string): string =>
  kind === 'quoted-name' ? text.slice(1, -1).replaceAll('""', '"') : text.toLowerCase();
