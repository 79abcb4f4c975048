import { parse } from 'libpg-query';
import type pg from 'pg';

/** What RDS and Aurora let nobody make who is no superuser, by the parser's names of statements, or of what a DefineStmt defines. */
const forSuperusers: Readonly<Record<string, string>> = {
  OBJECT_AGGREGATE: 'aggregates whose state is of the type internal',
  OBJECT_TSPARSER: 'text search parsers',
  OBJECT_TSTEMPLATE: 'text search templates',
  AlterDatabaseSetStmt: 'settings that nothing has defined',
  CreateAmStmt: 'access methods',
  CreateEventTrigStmt: 'event triggers',
  CreateExtensionStmt: 'extensions that are not trusted',
  CreateFdwStmt: 'foreign-data wrappers',
  CreateFunctionStmt: 'functions in C, internal ones, and those that are leakproof',
  CreateOpClassStmt: 'operator classes',
  CreateOpFamilyStmt: 'operator families',
  CreatePLangStmt: 'languages',
  CreatePublicationStmt: 'publications of all tables or of schemas',
  CreateTransformStmt: 'transforms',
};

/** What a statement is answered that speaks of an object which was not made. */
const UNDEFINED = new Set(['42704', '42P01', '42883', '3F000', '42703']);
/** Also of an aggregate whose state is internal. */
const REFUSED = new Set(['42501', '42P13']);

/** The statements that were left out so far. */
export type LeftOut = string[];

/**
 * Runs a theme statement by statement, as a login that is no superuser, and leaves out what {@link forSuperusers} names, with what is
 * made of it.
 *
 * @throws what any other statement fails with
 */
export async function runWithoutSuperuser(
  client: pg.Client,
  theme: string,
  sql: string,
  leftOut: LeftOut,
): Promise<void> {
  for (const { kind, text } of await statementsOf(sql)) {
    try {
      await client.query(text);
    } catch (error) {
      const { code = '', message } = error as { code?: string; message: string };
      const isForSuperusers = REFUSED.has(code) && kind in forSuperusers;
      const isMadeOfOne = leftOut.length > 0 && UNDEFINED.has(code);
      if (!isForSuperusers && !isMadeOfOne) {
        throw new Error(`Setting up "${theme}" failed at ${kind} (${code}): ${message}\n${text.slice(0, 300)}`, {
          cause: error,
        });
      }
      leftOut.push(text);
    }
  }
}

interface Parsed {
  stmts?: { stmt: Record<string, { kind?: string }>; stmt_location?: number; stmt_len?: number }[];
}

/** The statements of a script, as the server's parser takes it apart; its positions count bytes. */
async function statementsOf(sql: string): Promise<{ kind: string; text: string }[]> {
  const bytes = Buffer.from(sql);
  const { stmts = [] } = (await parse(sql)) as Parsed;
  return stmts.map(({ stmt, stmt_location: from = 0, stmt_len: length }) => {
    const [[node = '', fields] = []] = Object.entries(stmt);
    const end = length === undefined ? bytes.length : from + length;
    return {
      kind: node === 'DefineStmt' ? (fields?.kind ?? node) : node,
      text: bytes.subarray(from, end).toString().trim(),
    };
  });
}
