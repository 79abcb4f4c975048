import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checkSetup, setupPlaceOf } from '../../../shared/changes/setup/check-setup.ts';
import type { DoctorReport } from '../../../shared/contract/schemas/doctor.ts';
import { assertBackupPossible } from '../../../shared/doctor/before-backup.ts';
import { examine } from '../../../shared/doctor/examine.ts';
import type { PlatformKind } from '../../../shared/platforms/platform.ts';
import type { ConnectionTarget } from '../../../shared/postgres/connect.ts';
import { withConnection } from '../../../shared/postgres/with-connection.ts';
import type { BackupHarness } from '../../backup/support/harness.ts';
import { type TestServer, targetFor } from '../../support/servers.ts';
import { complaints, configuredDatabase, dependenciesFor } from './examined.ts';
import type { Loss } from './losses.ts';

/** Time that makes a login expire soon, for one of the losses. */
const NOW = Date.parse('2029-12-25T00:00:00Z');
export const loginPassword = 'of the login';

/** A database with the documented login. */
export interface LoggedIn {
  kind: PlatformKind;
  server: Pick<TestServer, 'host' | 'port' | 'version'>;
  /** Name of the database. */
  name: string;
  /** Runs SQL in the database as its administrator. */
  asAdministrator(sql: string): Promise<unknown>;
}

/** A script of docs/logins. */
export const loginScript = (name: string): string =>
  readFileSync(join(import.meta.dirname, `../../../docs/logins/${name}.sql`), 'utf8');

/** What the doctor and a backup say to the documented login. */
export function asLogin({ kind, server, name }: LoggedIn) {
  const target = targetFor(server as TestServer, name, {
    credentials: async () => ({ user: 'dbms', password: loginPassword }),
  });
  const database = configuredDatabase(kind, name);
  return {
    target,
    look: (changes: { port?: number } = {}) => examine(database, dependenciesFor({ ...target, ...changes }), NOW),
    check: () => assertBackupPossible({ ...dependenciesFor(target), database }),
  };
}

/** What both the doctor and who turns recovery on find. */
const ofRecovery = [
  'definitions_not_followed',
  'log_not_limited',
  'no_free_slot',
  'replication_refused',
  'pausing_excluded',
  'server_is_standby',
  'streaming_refused',
  'wal_level_too_low',
];
const saidOfRecovery = ({ findings }: DoctorReport): string[] =>
  findings
    .map(({ check }) => check)
    .filter((id) => ofRecovery.includes(id))
    .sort();

/** Those that keep it from being turned on, and the others. */
async function whatTurnsItOnSays(kind: PlatformKind, target: ConnectionTarget): Promise<string[]> {
  const place = setupPlaceOf(configuredDatabase(kind, target.database));
  const { problems, warnings } = await withConnection(target, {}, (client) => checkSetup(client, place));
  return [...problems, ...warnings].map(({ code }) => code).sort();
}

/** Takes one right after the other away: the doctor names it and no other, and what it says gives it back. */
export function testLosses(
  losses: readonly Loss[],
  version: number,
  harness: BackupHarness,
  get: () => LoggedIn,
): void {
  const here = losses.filter(({ since = 0, until = 99 }) => version >= since && version <= until);
  test.each(here)('names what is lost with $what, and how to get it back', async (loss) => {
    const { asAdministrator } = get();
    const { look, check, target } = asLogin(get());
    const before = complaints(await look());
    await asAdministrator(loss.sql);
    const report = await look();
    expect(complaints(report).filter((id) => !before.includes(id))).toEqual([loss.check, ...(loss.also ?? [])]);
    const finding = report.findings.find(({ check: id }) => id === loss.check);
    if (loss.check !== 'login_refused')
      expect(saidOfRecovery(report)).toEqual(await whatTurnsItOnSays(get().kind, target));
    if (loss.stopsBackups) {
      expect(report.features.find(({ feature }) => feature === 'backup')?.status).toBe('does_not_work');
      await expect(check()).rejects.toMatchObject({ code: 'backup_impossible' });
      // What is refused beforehand would have failed.
      await expect(harness.backUp(target)).rejects.toThrow();
    } else if (loss.check !== 'login_refused') await check();
    for (const { by, statement } of finding?.remediation ?? []) {
      expect(by).toBe('sql');
      const [, script] = /^\\i docs\/logins\/([\w-]+)\.sql$/.exec(statement) ?? [];
      await asAdministrator(script === undefined ? statement : loginScript(script));
    }
    expect(complaints(await look())).toEqual(before);
    if (loss.stopsBackups) await harness.backUp(target);
  });
}
