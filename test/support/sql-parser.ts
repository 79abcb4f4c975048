import { join } from 'node:path';
import { openParser } from '../../shared/postgres/parse-statements.ts';

/** PostgreSQL's parser, as functions have it in their layer. */
export const parseStatements = openParser(join(import.meta.dirname, '../../node_modules'));
