import type pg from 'pg';
import { listed } from '../../../listed.ts';
import { quoteQualified } from '../../../postgres/identifiers.ts';
import { backupLocation } from '../../location.ts';
import type { Manifest } from '../../manifest.ts';
import { type CheckedServer, checkCapacity, type PlannedRestore, readServerFacts } from '../check-server.ts';
import { checkUnmasked } from '../check-unmasked.ts';
import type { Finding } from '../findings.ts';
import { checkFreeSpace, spaceUnknown } from '../free-space.ts';
import type { BackupSource } from '../load-rows.ts';
import type { RowMasking } from '../masking/row-masking.ts';
import { checkRules, ruledColumns } from '../masking/rules-of-backup.ts';
import { type PrepareDependencies, readManifest } from '../prepare.ts';
import { type RestoreRecord, recordItem } from '../restore-record.ts';
import { type RestoreOptions, tailorBackup } from '../tailor.ts';
import { checkDestinations, type Destination, findDestinations } from './destinations.ts';
import { loadedPlaces } from './places.ts';
import { planRowsMasking } from './plan-masking.ts';
import { findPositions, type WantedPosition } from './positions.ts';
import { selectRows } from './select-tables.ts';
import { materializedViewsSql, takenLargeObjectsSql } from './target.sql.ts';
import { chooseWay, type LoadWay } from './way.ts';

export interface PreparedRows {
  source: BackupSource;
  /** With the tables that have rows to be loaded, and with what else is to come. */
  manifest: Manifest;
  destinations: Destination[];
  /** null: rows are loaded as they are. */
  masking: RowMasking | null;
  way: LoadWay;
  positions: WantedPosition[];
  checked: CheckedServer;
}

/** Rows are loaded by their tables' names; what the backup holds of definitions is not looked at. */
const NO_DEFINITIONS = { preamble: '', entries: [] };

/**
 * Reads a backup's description and holds it against the tables of the database that `client` is in. Changes nothing.
 *
 * @param record - what an earlier attempt has done: what it has loaded does not stand against it
 */
export async function prepareRows(
  client: pg.Client,
  {
    database,
    backupId,
    options,
    planned,
    record,
  }: {
    database: string;
    backupId: string;
    options: RestoreOptions;
    planned: PlannedRestore;
    record: RestoreRecord | null;
  },
  { store, signal, readFreeSpace = spaceUnknown }: PrepareDependencies,
): Promise<PreparedRows> {
  const source: BackupSource = { store, location: backupLocation(database, backupId) };
  const whole = await readManifest(source, signal);
  const { selection, ...mapping } = options;
  const { manifest: mapped, warnings: withoutObjects } = tailorBackup(whole, NO_DEFINITIONS, mapping);
  const { manifest, unknown, warnings: left, isChosen } = selectRows(mapped, selection);
  const problems: Finding[] = [];
  const warnings = [...withoutObjects, ...left].map(
    (message): Finding => ({
      code: 'selection_incomplete',
      message,
      nextStep: 'Restore the whole backup to get them.',
    }),
  );
  if (unknown.length > 0) {
    problems.push({
      code: 'selection_unknown',
      message: `The backup does not hold: ${listed(unknown)}`,
      nextStep: 'Correct schemas and tables; names are exact, with their upper and lower case.',
    });
  }
  if (whole.backup_type === 'schema') {
    problems.push({
      code: 'rows_missing',
      message: 'The backup holds definitions without rows: there is nothing to load',
      nextStep: 'Use a data or a full backup.',
    });
  }
  const { masking: rules = null } = options;
  if (rules) checkRules({ manifest: whole, schema: NO_DEFINITIONS }, rules, problems);
  if (options.refuseUnmasked) {
    const ruled = (table: Manifest['tables'][number]) => (rules ? ruledColumns(table, rules) : []);
    await checkUnmasked(source, manifest, ruled, { problems, warnings, signal });
  }
  const facts = await readServerFacts(client);
  checkCapacity(facts, planned.connections, problems);
  await checkRights(client, manifest, record, problems);
  const found = await findDestinations(client, manifest.tables, record && loadedPlaces(record), problems);
  checkDestinations(found, problems, warnings);
  const masking =
    rules && (await planRowsMasking(client, rules, { manifest, source, record, signal, ...found, problems, warnings }));
  const way = await chooseWay(client, found.destinations, problems, warnings);
  const positions = await findPositions(client, manifest.sequences, way.members, isChosen, problems, warnings);
  const views = await findViews(client, manifest, warnings);
  checkFreeSpace(manifest, await readFreeSpace(), problems, warnings);
  return {
    source,
    manifest: { ...manifest, materialized_views: views },
    destinations: found.destinations,
    masking,
    way,
    positions,
    checked: { version: facts.version, problems, warnings, leftOut: [], leftOutExtensions: [] },
  };
}

async function checkRights(
  client: pg.Client,
  { large_objects: { objects } }: Manifest,
  record: RestoreRecord | null,
  problems: Finding[],
): Promise<void> {
  const { rows } = await client.query<{ create: boolean; temporary: boolean }>(
    `SELECT pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE') AS create,
            pg_catalog.has_database_privilege(pg_catalog.current_database(), 'TEMPORARY') AS temporary`,
  );
  if (!record && !rows[0]?.create) {
    problems.push({
      code: 'record_refused',
      message: 'The login may not create a schema in the database, where it keeps record of what is loaded',
      nextStep: 'GRANT CREATE ON DATABASE ... to the login.',
    });
  }
  if (objects.length === 0) return;
  if (!rows[0]?.temporary) {
    problems.push({
      code: 'temporary_refused',
      message: 'The login may not create temporary tables in the database, through which large objects are loaded',
      nextStep: 'GRANT TEMPORARY ON DATABASE ... to the login, or select tables: large objects are then left out.',
    });
  }
  if (record?.has(recordItem.largeObjects)) return;
  const taken = await client.query<{ oid: string }>(takenLargeObjectsSql, [objects.map(({ oid }) => oid)]);
  if (taken.rows.length === 0) return;
  problems.push({
    code: 'large_objects_taken',
    message: `The database has large objects of these numbers already: ${listed(taken.rows.map(({ oid }) => oid))}`,
    nextStep: 'Remove them with lo_unlink, or select tables: large objects are then left out.',
  });
}

/** Views that had content in the backup and have none here; others are left as they are. */
async function findViews(
  client: pg.Client,
  { materialized_views: views }: Manifest,
  warnings: Finding[],
): Promise<Manifest['materialized_views']> {
  if (views.length === 0) return [];
  const { rows } = await client.query<{ schema: string; name: string; filled: boolean }>(materializedViewsSql);
  const filled = new Map(rows.map((view) => [quoteQualified(view.schema, view.name), view.filled]));
  const stateOf = ({ schema, name }: { schema: string; name: string }) => filled.get(quoteQualified(schema, name));
  const named = (some: typeof views): string => listed(some.map(({ schema, name }) => `${schema}.${name}`));
  const stale = views.filter((view) => stateOf(view) === true);
  if (stale.length > 0) {
    warnings.push({
      code: 'views_stale',
      message: `These materialized views have content already, and are not refreshed: ${named(stale)}`,
      nextStep: 'REFRESH MATERIALIZED VIEW, if they read the tables that are loaded.',
    });
  }
  const missing = views.filter((view) => stateOf(view) === undefined);
  if (missing.length > 0) {
    warnings.push({
      code: 'views_missing',
      message: `The database does not have the materialized views ${named(missing)}`,
      nextStep: 'Nothing: they can be made from the rows.',
    });
  }
  return views.filter((view) => stateOf(view) === false);
}
