import { createRequire } from 'node:module';
import { join } from 'node:path';
import * as z from 'zod';

/** A statement as PostgreSQL's own parser reads it: its node, such as `CreateStmt`, with the node's fields. */
export interface ParsedStatement {
  node: string;
  fields: Readonly<Record<string, unknown>>;
}

/**
 * Reads SQL text as a server of version 18 does, with `standard_conforming_strings` on.
 *
 * @returns null where that server would not understand it
 */
export type ParseStatements = (sql: string) => Promise<readonly ParsedStatement[] | null>;

interface Parser {
  loadModule(): Promise<void>;
  parseSync(sql: string): unknown;
}

const parsedSchema = z.object({
  stmts: z.array(z.object({ stmt: z.record(z.string(), z.record(z.string(), z.unknown())) })).default([]),
});

/** @param postgresToolsPath - the `node_modules` folder that holds `libpg-query` */
export function openParser(postgresToolsPath: string): ParseStatements {
  let loaded: Promise<Parser> | undefined;
  const load = async (): Promise<Parser> => {
    const parser = createRequire(join(postgresToolsPath, 'index.cjs'))('libpg-query') as Parser;
    await parser.loadModule();
    return parser;
  };

  return async (sql) => {
    loaded ??= load();
    const parser = await loaded;
    let tree: unknown;
    try {
      tree = parser.parseSync(sql);
    } catch {
      return null;
    }
    return parsedSchema
      .parse(tree)
      .stmts.flatMap(({ stmt }) => Object.entries(stmt).map(([node, fields]) => ({ node, fields })));
  };
}
