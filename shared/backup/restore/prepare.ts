import type pg from 'pg';
import { listed } from '../../listed.ts';
import type { MaskingRules } from '../../masking/plan/plan-masking.ts';
import type { ConnectionTarget } from '../../postgres/connect.ts';
import { MANIFEST } from '../layout.ts';
import { backupLocation } from '../location.ts';
import { type Manifest, parseManifest } from '../manifest.ts';
import { type ObjectStore, readWhole } from '../objects/object-store.ts';
import { readSchema } from '../stored-schema.ts';
import { changedValues } from './changed-values.ts';
import { type CheckedServer, checkServer, type PlannedRestore } from './check-server.ts';
import { checkUnmasked } from './check-unmasked.ts';
import { checkTemplate } from './extensions/check-template.ts';
import { leaveOutExtensions, withExpected } from './extensions/leave-out-extensions.ts';
import { type ReadFreeSpace, spaceUnknown } from './free-space.ts';
import { leaveOut, withoutOwnSchemas } from './leave-out.ts';
import type { BackupSource } from './load-rows.ts';
import { ancestorsIn, checkRules, ruledColumns, rulesOfChosen } from './masking/rules-of-backup.ts';
import { adaptToVersion } from './newer-features.ts';
import { type RestoreOptions, type TailoredBackup, tailorBackup } from './tailor.ts';

export interface PreparedRestore {
  source: BackupSource;
  /** As it is to be restored: chosen, mapped, and fit for the server's version. */
  backup: TailoredBackup;
  /** What was asked for: `backup` before that which the server would not create was left out. */
  asked: Pick<TailoredBackup, 'manifest'>;
  checked: CheckedServer;
  /** The rules for what is restored; null: rows are loaded as they are. */
  masking: MaskingRules | null;
}

export interface PrepareDependencies {
  /** The server to restore to. */
  target: ConnectionTarget;
  store: ObjectStore;
  signal: AbortSignal;
  /** Asks how much disk is free; by default, nobody knows. */
  readFreeSpace?: ReadFreeSpace | undefined;
  /** Looks whether changes can be repeated after the restore, which creates these roles where they are missing. */
  checkReplay?:
    | ((client: pg.Client, created: ReadonlySet<string>) => Promise<Pick<CheckedServer, 'problems' | 'warnings'>>)
    | undefined;
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
  { target, store, signal, readFreeSpace = spaceUnknown, checkReplay }: PrepareDependencies,
): Promise<PreparedRestore> {
  const source: BackupSource = { store, location: backupLocation(database, backupId) };
  const manifest = await readManifest(source, signal);
  const stored = withoutOwnSchemas(await readSchema(store, source.location, manifest, signal));
  const { leaveOut: omitted, expect } = options;
  const kept = leaveOutExtensions(tailorBackup(manifest, stored, options), omitted?.extensions ?? []);
  const asked = expect ? withExpected(kept, expect.extensions) : kept;
  const checked = await checkServer(client, asked, planned, readFreeSpace);
  if (expect) checked.problems.push(...(await checkTemplate(client, asked, expect, target)));
  const tailored = leaveOutExtensions(asked, checked.leftOutExtensions);
  if (checkReplay) {
    const created = planned.missingRoles === 'create' ? tailored.manifest.roles.map(({ name }) => name) : [];
    const { problems, warnings } = await checkReplay(client, new Set(created));
    checked.problems.push(...problems);
    checked.warnings.push(...warnings);
  }
  if (options.masking) checkRules({ manifest, schema: stored }, options.masking, checked.problems);
  const masking = options.masking ? rulesOfChosen(options.masking, tailored) : null;
  if (options.refuseUnmasked) {
    const ancestors = ancestorsIn(stored);
    const isRuled = (table: Manifest['tables'][number]) =>
      masking ? ruledColumns(table, masking, ancestors(table)) : [];
    await checkUnmasked(source, tailored.manifest, isRuled, { ...checked, signal });
  }
  const { schema, warnings } = adaptToVersion(leaveOut(tailored.schema, checked.leftOut), checked.version);
  const without = checked.leftOut.map(({ type, schema: of, name }) => `${type} ${of === null ? '' : `${of}.`}${name}`);
  const why = planned.mode === 'drill' ? 'Left out of the drill' : 'Left out, as it takes a superuser';
  const said = without.length === 0 ? [] : [`${why}: ${listed(without)}`];
  return {
    source,
    checked,
    masking,
    asked,
    backup: {
      ...tailored,
      schema,
      warnings: [...tailored.warnings, ...said, ...warnings, ...changedValues(tailored.manifest, checked.version)],
    },
  };
}

/** @throws OperationError as {@link parseManifest} and {@link readWhole} */
export async function readManifest({ store, location }: BackupSource, signal: AbortSignal): Promise<Manifest> {
  return parseManifest(await readWhole(store, location, MANIFEST, { compressed: false, signal }));
}

/** A database that is to be renamed must have no session in it, not even the restore's own. */
export function avoidedDatabases({ mode, targetDatabase }: Pick<PlannedRestore, 'mode' | 'targetDatabase'>): string[] {
  return mode === 'swap' ? [targetDatabase] : [];
}
