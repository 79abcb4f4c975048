import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freeConnectionsSql } from '../../shared/backup/distributed/connections.sql.ts';
import { serverFactsSql } from '../../shared/backup/restore/check.sql.ts';
import { checkSetup, setupPlaceOf } from '../../shared/changes/setup/check-setup.ts';
import { databaseSchema } from '../../shared/configuration/runtime.ts';
import { withConnection } from '../../shared/postgres/with-connection.ts';
import { useBackupHarness } from '../backup/support/harness.ts';
import { type ManagedServer, startManagedServer } from '../support/managed-server.ts';
import { testBinaries } from '../support/postgres-binaries.ts';
import { complaints, configuredDatabase } from './support/examined.ts';
import { asLogin, type LoggedIn, loginPassword, loginScript, testLosses } from './support/login-tests.ts';
import { commonLosses, type Loss, settingSql } from './support/losses.ts';

/** As docs/platforms/rds.md asks for. */
const parameters = {
  'rds.logical_replication': '1',
  max_slot_wal_keep_size: '20480',
  log_connections: '1',
  log_disconnections: '1',
};

const losses: readonly Loss[] = [
  ...commonLosses,
  { what: 'rds_replication', sql: 'REVOKE rds_replication FROM dbms', check: 'replication_refused' },
  {
    what: 'a table of the master user with row security',
    sql: 'CREATE TABLE doctor_plain.secrets (n int); ALTER TABLE doctor_plain.secrets ENABLE ROW LEVEL SECURITY',
    check: 'rows_hidden_by_policies',
    stopsBackups: true,
  },
  {
    what: 'row security that is forced',
    sql: 'ALTER TABLE doctor_owned.orders ENABLE ROW LEVEL SECURITY; ALTER TABLE doctor_owned.orders FORCE ROW LEVEL SECURITY',
    check: 'rows_hidden_by_policies',
    stopsBackups: true,
  },
  { what: 'the database', sql: 'ALTER DATABASE shop OWNER TO postgres', check: 'database_not_owned' },
];

const { tested } = await testBinaries();
const harness = useBackupHarness();

async function prepare(managed: ManagedServer, kind: 'rds' | 'aurora'): Promise<LoggedIn> {
  const { server, asMaster, asRdsadmin } = managed;
  await asMaster('postgres', 'CREATE DATABASE shop');
  await asMaster('shop', settingSql, 'CREATE TABLE doctor_plain.own (n int)');
  await asMaster('shop', 'ALTER TABLE doctor_plain.own ENABLE ROW LEVEL SECURITY', loginScript('rds'));
  if (server.version === 13) await asMaster('shop', loginScript('read-13'));
  // The stand-in for rds_replication is an attribute, and before 16 a superuser alone changes roles that have it. On RDS they have none.
  const asAdministrator = (sql: string) =>
    /^ALTER ROLE "?dbms"? /.test(sql) && server.version < 16 ? asRdsadmin('shop', sql) : asMaster('shop', sql);
  await asAdministrator(`ALTER ROLE dbms PASSWORD '${loginPassword}'`);
  return { kind, server, name: 'shop', asAdministrator };
}

/** What the documented login is not meant to be able to do there. */
const notes = [
  'administrators_own_objects',
  'definitions_not_followed',
  'logins_not_changed',
  'statements_not_counted',
];

describe.each(tested)('docs/logins/rds.sql on RDS, PostgreSQL $version', (binaries) => {
  let managed: ManagedServer;
  let loggedIn: LoggedIn;
  beforeAll(async () => {
    managed = await startManagedServer('rds', { binaries, parameters });
    loggedIn = await prepare(managed, 'rds');
  });
  afterAll(() => managed?.stop());

  test('leaves the doctor nothing to complain about', async () => {
    const report = await asLogin(loggedIn).look();
    expect([report.unread, complaints(report)]).toEqual([[], []]);
    expect(report).toMatchObject({ status: 'works_with_limits', login: 'dbms', platform: 'Amazon RDS' });
    expect(report.findings.map(({ check }) => check).sort()).toEqual(notes);
    await harness.backUp(asLogin(loggedIn).target);
  });

  testLosses(losses, binaries.version, harness, () => loggedIn);

  test('names what parameters of RDS take away: passwords, connections, and streaming with IAM', async () => {
    const { look, target } = asLogin(loggedIn);
    const found = async () => (await look()).findings.find(({ check }) => check === 'password_not_changed');
    const free = async () => {
      const { rows } = await withConnection(target, {}, (client) =>
        client.query<{ for_restores: number; for_backups: number }>(
          `SELECT (SELECT free_connections FROM (${serverFactsSql}) AS facts) AS for_restores,
                  (SELECT free FROM (${freeConnectionsSql}) AS facts) AS for_backups`,
          ['nobody'],
        ),
      );
      return rows[0] ?? { for_restores: 0, for_backups: 0 };
    };
    expect(await found()).toBeUndefined();
    const before = await free();
    await managed.managed.setParameters({
      ...parameters,
      'rds.restrict_password_commands': '1',
      'rds.rds_superuser_reserved_connections': '22',
    });
    await managed.managed.restart();
    // Two are reserved by default.
    await expect.poll(free).toEqual({
      for_restores: before.for_restores - 20,
      for_backups: before.for_backups - 20,
    });
    const [grant] = (await found())?.remediation ?? [];
    expect(grant?.statement).toBe('GRANT rds_password TO dbms;');
    await loggedIn.asAdministrator(grant?.statement ?? '');
    expect(await found()).toBeUndefined();

    const iam = databaseSchema.parse({
      ...configuredDatabase('rds', 'shop'),
      login: { type: 'iam', user: 'dbms', resource_id: 'db-A' },
    });
    const streaming = async () => {
      const { warnings } = await withConnection(target, {}, (client) => checkSetup(client, setupPlaceOf(iam)));
      return warnings.map(({ code }) => code).filter((code) => code === 'streaming_refused');
    };
    expect(await streaming()).toEqual(['streaming_refused']);
    await managed.managed.setParameters({ ...parameters, 'rds.iam_auth_for_replication': '1' });
    await expect.poll(streaming).toEqual([]);
    await managed.managed.setParameters(parameters);
  });
});

test('on Aurora with its defaults names the parameters of the cluster, with the commands that set them', async () => {
  const managed = await startManagedServer('aurora');
  try {
    const report = await asLogin(await prepare(managed, 'aurora')).look();
    expect(report.unread).toEqual([]);
    expect(complaints(report)).toEqual(expect.arrayContaining(['wal_level_too_low', 'connections_not_logged']));
    const { remediation } = report.findings.find(({ check }) => check === 'wal_level_too_low') ?? {};
    expect(remediation?.map(({ by }) => by)).toEqual(expect.arrayContaining(['aws']));
    expect(remediation?.[0]?.statement).toContain('aws rds modify-db-cluster-parameter-group');
    expect(report.features.find(({ feature }) => feature === 'backup')?.status).toMatch(/^works/);
  } finally {
    await managed.stop();
  }
});
