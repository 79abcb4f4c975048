import { OperationError } from '../../errors.ts';
import type { ConnectionTarget } from '../connect.ts';
import { type Archive, ArchiveError, readArchive } from './archive.ts';
import { schemaEntries } from './archive-entries.ts';
import { schemaNotUnicode } from './dump-failure.ts';
import { runNativePgDump } from './native-pg-dump.ts';
import type { SchemaDump, SchemaSection } from './schema-dump.ts';
import { runWasmPgDump } from './wasm-pg-dump.ts';

export interface DumpSchemaOptions {
  target: ConnectionTarget;
  /** An exported snapshot, so that the schema is of the same moment as the data. */
  snapshot?: string;
  /** By default both. */
  sections?: readonly SchemaSection[];
  /** The `node_modules` folder that holds the WebAssembly pg_dump. */
  postgresToolsPath: string;
  /** A native pg_dump to use instead. */
  pgDumpPath?: string;
  signal?: AbortSignal;
}

export interface DumpedSchema extends SchemaDump {
  pgDumpVersion: string;
  serverVersion: string;
}

/**
 * Reads a database's whole schema with pg_dump: every object with its SQL, section and dependencies. Rows, sequence
 * positions, large objects and the contents of materialized views are no part of it.
 *
 * @throws OperationError `pg_dump_too_old`, `schema_dump_refused`, `schema_locked`, `schema_not_unicode`, `connection_lost`,
 *   `schema_dump_failed`, or one of `connect`
 * @example
 * const { preamble, entries } = await dumpSchema({ target, snapshot: '00000003-0000001B-1', postgresToolsPath });
 */
export async function dumpSchema(options: DumpSchemaOptions): Promise<DumpedSchema> {
  const { target, snapshot, postgresToolsPath, pgDumpPath, signal, sections = ['pre-data', 'post-data'] } = options;
  const args = [
    '--format=custom',
    // Nothing to compress in an archive without rows, and no compression library in the WebAssembly build.
    '--compress=0',
    '--schema-only',
    '--encoding=UTF8',
    '--no-sync',
    ...(target.limits.lock_timeout_ms > 0 ? [`--lock-wait-timeout=${target.limits.lock_timeout_ms}`] : []),
    ...(snapshot ? [`--snapshot=${snapshot}`] : []),
  ];
  const run = { target, args, signal };
  const bytes = await (pgDumpPath ? runNativePgDump(run, pgDumpPath) : runWasmPgDump(run, postgresToolsPath));
  const archive = read(bytes, target);
  const { preamble, entries } = schemaEntries(archive);
  return {
    preamble,
    entries: entries.filter(({ section }) => sections.includes(section)),
    pgDumpVersion: archive.pgDumpVersion,
    serverVersion: archive.serverVersion,
  };
}

function read(bytes: Uint8Array, { database }: ConnectionTarget): Archive {
  try {
    return readArchive(bytes);
  } catch (error) {
    if (!(error instanceof ArchiveError)) throw error;
    if (/UTF-8/.test(error.message)) {
      throw schemaNotUnicode(database, { cause: error });
    }
    throw new OperationError('schema_dump_failed', error.message, 'Use a pg_dump of PostgreSQL 13 or later.', {
      cause: error,
    });
  }
}
