import type pg from 'pg';
import { OperationError } from '../../errors.ts';
import type { ConnectionTarget } from '../../postgres/connect.ts';
import { type SchemaDump, schemaDumpSchema } from '../../postgres/pg-dump/schema-dump.ts';
import { MANIFEST } from '../layout.ts';
import { backupLocation } from '../location.ts';
import { type Manifest, parseManifest } from '../manifest.ts';
import { type ObjectStore, readWhole } from '../objects/object-store.ts';
import { type CheckedServer, checkServer, type PlannedRestore } from './check-server.ts';
import { type Finding, listed } from './findings.ts';
import { leaveOut } from './leave-out.ts';
import type { BackupSource } from './load-rows.ts';
import { adaptToVersion } from './newer-features.ts';
import { openServerSession } from './server-session.ts';
import { type RestoreOptions, type TailoredBackup, tailorBackup } from './tailor.ts';

export interface PreparedRestore {
  source: BackupSource;
  /** As it is to be restored: chosen, mapped, and fit for the server's version. */
  backup: TailoredBackup;
  checked: CheckedServer;
}

/** Reads a backup's description and holds it against the server that `client` is on. Creates nothing. */
export async function prepareRestore(
  client: pg.Client,
  {
    database,
    backupId,
    options,
    planned,
  }: { database: string; backupId: string; options: RestoreOptions; planned: PlannedRestore },
  { store, signal }: { store: ObjectStore; signal: AbortSignal },
): Promise<PreparedRestore> {
  const source: BackupSource = { store, location: backupLocation(database, backupId) };
  const manifest = parseManifest(await readWhole(store, source.location, MANIFEST, { compressed: false, signal }));
  const tailored = tailorBackup(manifest, await readSchema(source, manifest, signal), options);
  const checked = await checkServer(client, tailored, planned);
  const { schema, warnings } = adaptToVersion(leaveOut(tailored.schema, checked.leftOut), checked.version);
  const without = checked.leftOut.map(({ type, schema: of, name }) => `${type} ${of === null ? '' : `${of}.`}${name}`);
  const said = without.length === 0 ? [] : [`Left out of the drill: ${listed(without)}`];
  return { source, checked, backup: { ...tailored, schema, warnings: [...tailored.warnings, ...said, ...warnings] } };
}

async function readSchema(source: BackupSource, manifest: Manifest, signal: AbortSignal): Promise<SchemaDump> {
  const bytes = await readWhole(source.store, source.location, manifest.schema.path, {
    compressed: true,
    expected: manifest.schema,
    signal,
  });
  return schemaDumpSchema.parse(JSON.parse(bytes.toString('utf8')));
}

/** The answer of a check that is made without restoring. */
export interface RestoreCheck {
  problems: Finding[];
  warnings: Finding[];
  /** What would be restored; null when the backup or the server could not be read. */
  restores: { tables: number; rows: number; bytes: number } | null;
  serverVersion: number | null;
}

/**
 * Checks a restore without beginning it. What keeps the check itself from being made, such as a server out of reach, is a
 * problem among the others.
 */
export async function checkRestore(
  request: { database: string; backupId: string; options: RestoreOptions; planned: PlannedRestore },
  dependencies: { target: ConnectionTarget; store: ObjectStore; signal: AbortSignal },
): Promise<RestoreCheck> {
  let client: pg.Client | undefined;
  try {
    client = await openServerSession(dependencies.target, avoidedDatabases(request.planned));
    const { checked, backup } = await prepareRestore(client, request, dependencies);
    const { tables, rows, bytes } = backup.manifest.totals;
    const { problems, warnings, version } = checked;
    return { problems, warnings, restores: { tables, rows, bytes }, serverVersion: version };
  } catch (error) {
    if (!(error instanceof OperationError)) throw error;
    const { code, message, nextStep } = error;
    return { problems: [{ code, message, nextStep }], warnings: [], restores: null, serverVersion: null };
  } finally {
    await client?.end().catch(() => undefined);
  }
}

/** A database that is to be renamed must have no session in it, not even the restore's own. */
export function avoidedDatabases({ mode, targetDatabase }: Pick<PlannedRestore, 'mode' | 'targetDatabase'>): string[] {
  return mode === 'swap' ? [targetDatabase] : [];
}
