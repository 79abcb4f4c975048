/** A pattern for the names of schemas, or of the relations in them; see {@link parseNamePattern}. */
export interface NamePattern {
  matchesSchema(schema: string): boolean;
  /** null for a pattern that speaks of whole schemas. */
  matchesRelation: ((name: string) => boolean) | null;
}

/** One character of a name that must be there, or a wildcard. */
type Token = { literal: string } | 'any' | 'one';

/** Characters that psql takes for regular expressions. They are refused outside quotes, so that none means something else here. */
const REGULAR_EXPRESSION = new Set('[](){}|+^\\');

/**
 * Reads a pattern as psql and pg_dump write them: `*` stands for any characters, `?` for one, a dot divides schema and relation,
 * capitals are folded to small letters; between double quotes every character is itself, and `""` is one quote. A pattern
 * without a dot names schemas.
 *
 * @throws Error saying what is wrong with it
 * @example
 * parseNamePattern('sales.order_?'); parseNamePattern('"Odd.Name"."Table"'); parseNamePattern('audit');
 */
export function parseNamePattern(pattern: string): NamePattern {
  if (pattern !== pattern.trim()) throw new Error('begins or ends with a space; put the name in double quotes');
  if (!pattern.isWellFormed() || pattern.includes('\0')) throw new Error('must be Unicode text without NUL characters');
  const [schema = [], relation, more] = tokenize(pattern);
  if (more) throw new Error('has more than one dot; put names that hold dots in double quotes');
  if (schema.length === 0 || relation?.length === 0) throw new Error('has an empty name');
  return {
    matchesSchema: (name) => matches(schema, name),
    matchesRelation: relation === undefined ? null : (name) => matches(relation, name),
  };
}

function tokenize(pattern: string): Token[][] {
  const parts: Token[][] = [[]];
  const characters = [...pattern];
  let quoted = false;
  for (let index = 0; index < characters.length; index++) {
    const character = characters[index] ?? '';
    const part = parts.at(-1) as Token[];
    if (character === '"') {
      if (quoted && characters[index + 1] === '"') {
        part.push({ literal: '"' });
        index += 1;
      } else quoted = !quoted;
    } else if (quoted) part.push({ literal: character });
    else if (character === '.') parts.push([]);
    else if (character === '*') part.push('any');
    else if (character === '?') part.push('one');
    else if (REGULAR_EXPRESSION.has(character)) {
      throw new Error(`holds ${character}, and regular expressions are not read; put a name with it in double quotes`);
    }
    // The server folds no other letters in UTF-8.
    else part.push({ literal: /[A-Z]/.test(character) ? character.toLowerCase() : character });
  }
  if (quoted) throw new Error('has a double quote without its partner');
  return parts;
}

/** Goes back to the last `*` only, so that the time is at most the product of the lengths. */
function matches(tokens: readonly Token[], name: string): boolean {
  const characters = [...name];
  let token = 0;
  let star: { token: number; from: number } | undefined;
  for (let at = 0; at < characters.length; ) {
    const current = tokens[token];
    if (current === 'any') {
      star = { token, from: at };
      token += 1;
    } else if (current === 'one' || (current !== undefined && current.literal === characters[at])) {
      token += 1;
      at += 1;
    } else if (star) {
      star.from += 1;
      at = star.from;
      token = star.token + 1;
    } else return false;
  }
  return tokens.slice(token).every((rest) => rest === 'any');
}
