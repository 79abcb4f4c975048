import type pg from 'pg';
import * as z from 'zod';
import type { BackupSample } from '../../contract/schemas/backup.ts';
import { OperationError } from '../../errors.ts';
import { listed } from '../../listed.ts';
import {
  assertMaskable,
  LARGE_OBJECTS_NOT_MASKED,
  type MaskingRules,
  type PlannedMasking,
} from '../../masking/plan/plan-masking.ts';
import { quoteQualified } from '../../postgres/identifiers.ts';
import type { DumpedSchema } from '../../postgres/pg-dump/dump-schema.ts';
import type { SchemaDump } from '../../postgres/pg-dump/schema-dump.ts';
import { readPlannedCode } from '../../postgres/planned-code/planned-code.ts';
import {
  type DatabaseProperties,
  databasePropertiesSchema,
  type ExportedType,
  extensionSchema,
  type Manifest,
  type RoleEntry,
  roleEntrySchema,
} from '../manifest.ts';
import type { BackupSelection } from '../plan/choose.ts';
import { decideContents } from '../plan/contents.ts';
import { extensionsSql } from '../plan/extensions.sql.ts';
import { listTables, type PlannedTable } from '../plan/plan.ts';
import { databaseSql, populatedMaterializedViewsSql, referencedRolesSql, sequencesSql } from '../plan/relations.sql.ts';
import { columnTypesSql } from '../plan/selectable.sql.ts';
import { planSample } from '../sample/plan-sample.ts';
import { assertNoBabelfish } from './babelfish.ts';
import { type LargeObject, listLargeObjects, measureLargeObjects } from './large-objects.ts';
import { subscriptionWarnings } from './subscriptions.ts';

export interface BackupRequest {
  id: string;
  database: string;
  backupType: ExportedType;
  customName: string | null;
  /** Which schemas and tables it is of; null or absent: the whole database. */
  selection?: BackupSelection | null;
  requestedBy: string;
  /** Masks rows by these while they are read; null or absent: it is no masked backup. */
  masking?: MaskingRules | null;
  /** Keeps about so many percent of the rows of these tables, given by patterns; null or absent: every row. */
  sample?: BackupSample | null;
  /** Whether what the login may not read is left out, so that the backup is incomplete; by default it is refused. */
  leavesOut?: boolean;
}

/** What is known of a snapshot from the moment it is taken. */
export interface SnapshotFacts {
  transactions: string;
  /** Of the server's log when the snapshot was taken; null where the server does not tell it. */
  lsn: string | null;
  /** Why it is not known. */
  lsnUnknown?: string | undefined;
  takenAt: string;
  serverVersion: number;
  blockSize: number;
}

/** What a backup holds and how its rows are cut, found before the first row is read. Plain data, so that it can be stored. */
export interface PreparedExport {
  snapshot: SnapshotFacts;
  /** Bytes of table that one stored object covers. */
  chunkBytes: number;
  /** Largest table that is read whole where the server does not read ranges of pages. */
  wholeBytes: number;
  tables: PlannedTable[];
  /** Numbers of the tables that can be read by ranges of pages. */
  rangeable: number[];
  properties: DatabaseProperties;
  largeObjects: LargeObject[];
  /** Of all large objects together. */
  largeObjectBytes: number;
  /** Sequences whose positions are read when the rows are. */
  sequences: { schema: string; name: string }[];
  materializedViews: Manifest['materialized_views'];
  extensions: NonNullable<Manifest['extensions']>;
  roles: RoleEntry[];
  /** Types of each table's columns by its OID; null for a backup without rows. */
  types: Record<string, string[]> | null;
  /** What is masked of the rows; absent: nothing. */
  masking?: PlannedMasking;
  /** What the login could not read; absent: it could read everything. */
  missing?: NonNullable<Manifest['missing']>;
  /** Tables that a sample chooses, by OID; absent: every row is kept. */
  sampled?: number[];
  warnings: string[];
}

/** The definitions; the dump is null where they are dumped beside the rows, whole. */
export type PreparedSchema = { dump: SchemaDump; pgDumpVersion: string | null } | null;

const LARGE_OBJECTS_LEFT =
  'Large objects are left out: a backup of chosen schemas or tables cannot tell which ones belong to it';
const LARGE_OBJECTS_NOT_SAMPLED =
  'Large objects are all kept: which ones belong to the rows of the sample is known to nobody';

/**
 * Finds what a backup is of.
 *
 * @param client - a session in the snapshot
 * @param dump - dumps the whole schema of the snapshot; `nativePgDump`: not by the WebAssembly pg_dump
 * @throws OperationError `server_unsupported` for a database of Babelfish, and as {@link decideContents}, {@link listTables}, {@link assertMaskable} and {@link planSample}
 */
export async function prepareExport(
  client: pg.Client,
  {
    backupType,
    selection = null,
    masking = null,
    sample = null,
    leavesOut = false,
  }: Pick<BackupRequest, 'backupType' | 'selection' | 'masking' | 'sample' | 'leavesOut'>,
  {
    snapshot,
    chunkBytes,
    wholeBytes,
    dump,
    nativePgDump,
    signal,
  }: {
    snapshot: SnapshotFacts;
    chunkBytes: number;
    wholeBytes: number;
    dump: () => Promise<DumpedSchema>;
    nativePgDump: boolean;
    signal: AbortSignal;
  },
): Promise<{ prepared: PreparedExport; schema: PreparedSchema }> {
  await assertNoBabelfish(client);
  const planned = masking && (await assertMaskable(client, masking, signal));
  const contents = await decideContents(client, { backupType, selection }, dump);
  const {
    tables: listedTables,
    rangeable,
    hidden,
    warnings: unread,
  } = await listTables(client, contents.hasRows, { leavesOut });
  const code = await readPlannedCode(client);
  // Ranges of pages are read by a statement that is planned; COPY of a whole table is not.
  const whole = listedTables.filter(({ oid }) => code.has(oid));
  for (const { number } of whole) rangeable.delete(number);
  const sampled = sample && (await planSample(client, sample, listedTables));
  assertPlannable(sampled?.tables ?? [], code);
  const { tables } = sampled ?? { tables: listedTables };
  const isOfTheDatabase = backupType !== 'data' && (selection?.include ?? null) === null;
  const holdsObjects = contents.largeObjects && !planned;
  const listedObjects =
    backupType === 'schema'
      ? { objects: [], unreadable: 0 }
      : await listLargeObjects(client, { leavesOut: leavesOut || !holdsObjects });
  const { objects: present } = listedObjects;
  const largeObjects = holdsObjects ? present : [];
  const missing = { tables: hidden, large_objects: holdsObjects ? listedObjects.unreadable : 0 };
  const leftOut = planned ? LARGE_OBJECTS_NOT_MASKED : LARGE_OBJECTS_LEFT;
  const sequences = (await client.query<{ schema: string; name: string }>(sequencesSql)).rows;
  const prepared: PreparedExport = {
    snapshot,
    chunkBytes,
    wholeBytes,
    tables,
    rangeable: [...rangeable],
    properties: databasePropertiesSchema.parse((await client.query(databaseSql(snapshot.serverVersion))).rows[0]),
    largeObjects,
    largeObjectBytes: largeObjects.length > 0 ? await measureLargeObjects(client) : 0,
    sequences: sequences.filter(contents.hasPosition),
    materializedViews: z
      .array(z.object({ oid: z.coerce.number(), schema: z.string(), name: z.string() }))
      .parse((await client.query(populatedMaterializedViewsSql)).rows)
      .filter(contents.isFilled),
    extensions: z.array(extensionSchema).parse((await client.query(extensionsSql)).rows),
    roles: z.array(roleEntrySchema).parse((await client.query(referencedRolesSql)).rows),
    // A restore into tables that are there holds them against those.
    types: backupType === 'schema' ? null : await readColumnTypes(client, tables),
    ...(planned ? { masking: planned } : {}),
    ...(sampled ? { sampled: sampled.chosen } : {}),
    ...(missing.tables.length + missing.large_objects > 0 ? { missing } : {}),
    warnings: [
      ...missingWarnings(missing),
      ...contents.warnings,
      ...unread,
      ...wholeWarnings(
        whole.filter(({ tableBytes }) => tableBytes > chunkBytes),
        code,
      ),
      ...(planned?.warnings ?? []),
      ...(sampled?.warnings ?? []),
      ...(sampled && largeObjects.length > 0 ? [LARGE_OBJECTS_NOT_SAMPLED] : []),
      ...(present.length > largeObjects.length ? [leftOut] : []),
      ...(isOfTheDatabase ? await subscriptionWarnings(client, { nativePgDump }) : []),
    ],
  };
  return { prepared, schema: contents.schema };
}

/** @throws OperationError `sample_refused`: the rows that a sample keeps are chosen by statements that are planned */
function assertPlannable(tables: readonly PlannedTable[], code: ReadonlyMap<number, string>): void {
  const refused = tables.filter(({ kept, oid }) => kept !== undefined && code.has(oid));
  if (refused.length === 0) return;
  const named = refused.map(({ schema, name, oid }) => `${quoteQualified(schema, name)} (${code.get(oid)})`);
  throw new OperationError(
    'sample_refused',
    `A sample would run functions of the owners of these tables with the rights of this system: ${listed(named)}`,
    `${HOW_TO_BE_PLANNED} Or leave these tables out of the sample.`,
  );
}

const HOW_TO_BE_PLANNED =
  "Let the function belong to a superuser, or give it a column itself and, where it is in the language SQL, a setting: ALTER FUNCTION ... SET search_path = ''.";

function wholeWarnings(tables: readonly PlannedTable[], code: ReadonlyMap<number, string>): string[] {
  if (tables.length === 0) return [];
  const named = tables.map(({ schema, name, oid }) => `${quoteQualified(schema, name)} (${code.get(oid)})`);
  return [
    `These tables are read in one piece, as reading a part would run functions of their owners with the rights of this system: ${listed(named)}. ${HOW_TO_BE_PLANNED}`,
  ];
}

function missingWarnings({ tables, large_objects }: NonNullable<Manifest['missing']>): string[] {
  const names = tables.map(({ schema, name }) => quoteQualified(schema, name));
  const objects = `${large_objects} large objects, which the login may not read`;
  const rows = `the rows of ${listed(names)}, which row security hides from the login`;
  const what = [...(names.length > 0 ? [rows] : []), ...(large_objects > 0 ? [objects] : [])];
  if (what.length === 0) return [];
  return [`The backup is incomplete. It is without ${what.join('; and without ')}. GET doctor shows what cures it`];
}

async function readColumnTypes(
  client: pg.Client,
  tables: readonly { oid: number }[],
): Promise<Record<string, string[]>> {
  const { rows } = await client.query<{ oid: string; types: string[] }>(columnTypesSql, [tables.map(({ oid }) => oid)]);
  return Object.fromEntries(rows.map(({ oid, types }) => [oid, types]));
}

/** What a progress counts up to, as far as the catalog tells. */
export function estimateTotals({ tables, largeObjectBytes }: PreparedExport): {
  tables: number;
  rows: number | null;
  bytes: number;
} {
  const known = tables.every(({ estimatedRows }) => estimatedRows !== null);
  const sum = (of: (table: PlannedTable) => number): number =>
    Math.round(tables.reduce((total, table) => total + of(table) * (table.kept?.share ?? 1), 0));
  return {
    tables: tables.length,
    rows: known ? sum(({ estimatedRows }) => estimatedRows ?? 0) : null,
    bytes: sum(({ tableBytes }) => tableBytes) + largeObjectBytes,
  };
}
