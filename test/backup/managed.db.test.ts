import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DescribeDBInstancesCommand, ModifyDBInstanceCommand, RDSClient } from '@aws-sdk/client-rds';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkRestore } from '../../shared/backup/restore/check-restore.ts';
import { runDrill } from '../../shared/backup/validate/drill.ts';
import { captureDefaults } from '../../shared/changes/capture/settings.ts';
import { readSlotHealth } from '../../shared/changes/guard/guard.ts';
import { takeReading } from '../../shared/health/sample/take-reading.ts';
import { emptyWatch, writeWatch } from '../../shared/health/sample-store.ts';
import { withConnection } from '../../shared/postgres/with-connection.ts';
import { captureDatabase } from '../../shared/recovery/capture-database.ts';
import { turnRecoveryOn } from '../../shared/recovery/change-recovery.ts';
import { describeRecovery } from '../../shared/recovery/describe-window.ts';
import { pauseRecovery } from '../../shared/recovery/pause-recovery.ts';
import { newJobId } from '../../shared/state/ids.ts';
import { readRecovery } from '../../shared/state/recovery.ts';
import { clientOptions } from '../local/aws/support.ts';
import { createStateTable } from '../state/support.ts';
import { type ManagedServer, startManagedServer } from '../support/managed-server.ts';
import { connectTo, targetFor } from '../support/servers.ts';
import { DATABASE_ID, useBackupHarness } from './support/harness.ts';

const signal = new AbortController().signal;
const PASSWORD = 'of the login';
const script = (name: string) => readFileSync(join(import.meta.dirname, `../../docs/logins/${name}.sql`), 'utf8');
let managed: ManagedServer;
// Before the harness: what it restored is dropped while the server still runs.
afterAll(() => managed?.stop());
const harness = useBackupHarness();

/** Aurora at its default settings, with pg_cron in the database, and the login that docs/deploy.md tells to create. */
beforeAll(async () => {
  managed = await startManagedServer('aurora', {
    parameters: { shared_preload_libraries: 'pg_stat_statements,pg_cron', 'cron.database_name': 'shop' },
  });
  await managed.asMaster('postgres', 'CREATE DATABASE shop');
  await managed.asMaster('shop', script('rds'), script('drills'), `ALTER ROLE dbms PASSWORD '${PASSWORD}'`);
  await managed.asMaster(
    'shop',
    'CREATE EXTENSION pg_cron',
    "SELECT cron.schedule('nightly', '@daily', 'VACUUM')",
    'CREATE TABLE orders AS SELECT generate_series(1, 300) AS n',
    'ALTER TABLE orders ADD PRIMARY KEY (n)',
  );
});

const target = (database = 'shop') =>
  targetFor(managed.server, database, { credentials: async () => ({ user: 'dbms', password: PASSWORD }) });
const check = async (id: string) =>
  checkRestore(
    {
      database: DATABASE_ID,
      backupId: id,
      options: {},
      planned: { mode: 'new', targetDatabase: 'not there yet', missingRoles: 'create', connections: 2 },
    },
    { target: target(), store: harness.store, signal },
  );

test('a database with pg_cron on Aurora at its defaults is backed up, restored and drilled by the documented login', async () => {
  const manifest = await harness.backUp(target());
  expect(manifest.snapshot).toMatchObject({
    lsn: null,
    lsn_unknown: 'Aurora tells no position of its log while rds.logical_replication is 0',
  });
  // Each login sees its own jobs.
  expect(manifest.warnings).toEqual([
    expect.stringMatching(/^Rows of cron\.job, a table of the extension pg_cron, are not/),
  ]);
  const restored = await harness.restore(manifest, managed.server, { target: target('postgres') });
  // The table is the master user's, whom nobody can grant from 16 on.
  const ofMaster = /^TABLE public\.orders: must be (able to SET ROLE|member of role) "postgres"$/;
  expect(restored.summary.warnings).toEqual(['Extension pg_cron is left out', expect.stringMatching(ofMaster)]);
  const client = await connectTo({ ...managed.server, user: 'dbms', password: PASSWORD }, restored.name);
  expect((await client.query('SELECT count(*)::int AS rows FROM orders')).rows).toEqual([{ rows: 300 }]);
  await client.end();
  const settings = { retention_days: 1, compression_level: 1, connections: 2, chunk_bytes: 1_048_576 };
  const { warnings } = await runDrill(
    { jobId: newJobId(), backupId: manifest.id, database: DATABASE_ID },
    {
      target: target(),
      store: harness.store,
      settings: { ...settings, lanes: 1, connection_share: 0.5 },
      report: async () => undefined,
      signal,
      hasEnded: async () => false,
    },
  );
  expect(warnings).toEqual(['Extension pg_cron is left out']);
});

test('samples of Aurora at its defaults know all but what depends on the position of its log', async () => {
  const client = await connectTo({ ...managed.server, user: 'dbms', password: PASSWORD }, 'shop');
  const { values, failures } = await takeReading(client, { slowQuerySeconds: 1, poolLimit: 30 });
  await client.end();
  expect(failures.map(({ part }) => part)).toEqual(['log position']);
  expect(values).toMatchObject({ slots: 0, retained_wal_bytes: 0, replicas: 0 });
});

test('the owner that the master user has made since is restored once the finding was followed', async () => {
  await managed.asMaster(
    'shop',
    'CREATE ROLE seller',
    ...(managed.server.version >= 16 ? ['GRANT seller TO CURRENT_USER WITH INHERIT TRUE, SET TRUE'] : []),
    'GRANT CREATE ON SCHEMA public TO seller',
    'CREATE TABLE sales (n int)',
    'ALTER TABLE sales OWNER TO seller',
  );
  const { id } = await harness.backUp(target());
  const [finding] = (await check(id)).warnings.filter(({ code }) => code === 'roles_not_granted');
  if (managed.server.version >= 16) expect(finding?.nextStep).toContain('Nobody can grant postgres, on which no role');
  const [, statement = ''] = /^Run (GRANT .+?), as /.exec(finding?.nextStep ?? '') ?? [];
  await managed.asMaster('shop', statement);
  const left = (await check(id)).warnings.filter(({ code }) => code === 'roles_not_granted');
  expect(left.map(({ message }) => message).join()).not.toContain('seller');
  const restored = await harness.restore({ id }, managed.server, { target: target('postgres') });
  const { rows } = await managed.asRdsadmin(
    restored.name,
    "SELECT tableowner AS owner FROM pg_tables WHERE tablename = 'sales'",
  );
  expect(rows).toEqual([{ owner: 'seller' }]);
});

/** Upgrades by docs/upgrades-of-databases.md, as the local RDS API does it, with its checks of the slots; gives the version afterwards. */
async function upgrade(EngineVersion: string): Promise<string | undefined> {
  const rds = new RDSClient(clientOptions(harness.services.endpoints.rds));
  try {
    const of = { DBInstanceIdentifier: 'shop' };
    const how = { AllowMajorVersionUpgrade: true, ApplyImmediately: true };
    await rds.send(new ModifyDBInstanceCommand({ ...of, ...how, EngineVersion }));
    return (await rds.send(new DescribeDBInstancesCommand(of))).DBInstances?.[0]?.EngineVersion;
  } finally {
    rds.destroy();
  }
}

test('a major upgrade fails while recovery is on, works once it is paused, and a slot that a DBA dropped stays dropped', async () => {
  await managed.managed.setParameters({
    shared_preload_libraries: 'pg_stat_statements,pg_cron',
    'cron.database_name': 'shop',
    'rds.logical_replication': '1',
  });
  await managed.managed.restart();
  const { table, client } = await createStateTable(harness.services);
  const dependencies = {
    ...{ target: target(), store: harness.store, table, configuration: { alert_emails: [] }, signal },
    ...{ limits: { mostRetainedBytes: 10 * 1_073_741_824, warnAt: 0.5 }, compressionLevel: 1, timeMs: 60_000 },
    ...{ waitMs: 60_000, captureMinutes: 1, startBase: async () => undefined },
  };
  const slots = async () => (await managed.managed.logicalSlots()).length;
  await turnRecoveryOn(DATABASE_ID, 'alice', dependencies);
  await managed.asMaster('shop', 'INSERT INTO orders VALUES (301)');
  expect(await slots()).toBe(1);
  const slotNow = (await readRecovery(table, DATABASE_ID))?.slot ?? '';
  const behind = async () =>
    (await withConnection(target(), {}, (session) => readSlotHealth(session, slotNow))).behindBytes ?? 0;
  // The next one begins with a file.
  await managed.managed.beat();
  await captureDatabase(DATABASE_ID, dependencies);
  // What an idle server of RDS writes in five minutes is one file: too little to be streamed from.
  const before = await behind();
  await managed.managed.beat();
  expect((await behind()) - before).toBeGreaterThan(32 * 1_048_576);
  expect(await behind()).toBeLessThan(captureDefaults.streamAfterBytes);
  // A pause leaves as much to the next run.
  await captureDatabase(DATABASE_ID, dependencies);
  await harness.services.putInstance({ DBInstanceIdentifier: 'shop', Engine: 'postgres', EngineVersion: '16.4' });
  // As if the parameter group of the new version had the same values.
  await harness.services.attachServer('shop', { ...managed.managed, setParameters: async () => undefined });
  expect(await upgrade('17.5')).toBe('16.4');
  await pauseRecovery(DATABASE_ID, 'alice', dependencies);
  expect(await slots()).toBe(0);
  expect(await upgrade('17.5')).toBe('17.5');
  expect(await captureDatabase(DATABASE_ID, dependencies)).toEqual({ status: 'off' });
  expect((await describeRecovery(DATABASE_ID, dependencies)).status).toBe('paused');

  await turnRecoveryOn(DATABASE_ID, 'alice', dependencies);
  const slot = (await readRecovery(table, DATABASE_ID))?.slot;
  await managed.asMaster('shop', `SELECT pg_drop_replication_slot('${slot}')`);
  expect(await captureDatabase(DATABASE_ID, dependencies)).toMatchObject({
    status: 'closed',
    code: 'slot_dropped_by_others',
  });
  expect(await captureDatabase(DATABASE_ID, dependencies)).toEqual({ status: 'off' });
  expect(await slots()).toBe(0);

  // A slot is given up on a disk of 1 GiB, of which AWS has told, long before the configured 10 GB.
  await turnRecoveryOn(DATABASE_ID, 'alice', dependencies);
  const storage = { allocatedBytes: 1_073_741_824, autoscalesToBytes: null };
  const server = { id: 'shop', writer: 'shop', storage, capacity: null, findings: [] };
  await writeWatch(table, DATABASE_ID, { ...emptyWatch, server });
  for (let beats = 0; beats < 6; beats += 1) await managed.managed.beat();
  expect(await captureDatabase(DATABASE_ID, dependencies)).toMatchObject({ status: 'closed', code: 'log_limit' });
  expect(await slots()).toBe(0);
  client.destroy();
});
