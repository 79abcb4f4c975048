import { DescribeDBInstancesCommand, RDSClient } from '@aws-sdk/client-rds';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { databaseSchema } from '../../shared/configuration/runtime.ts';
import { platformOf } from '../../shared/platforms/platforms.ts';
import { captureDatabase } from '../../shared/recovery/capture-database.ts';
import { turnRecoveryOff, turnRecoveryOn } from '../../shared/recovery/change-recovery.ts';
import { describeRecovery } from '../../shared/recovery/describe-window.ts';
import { pauseRecovery } from '../../shared/recovery/pause-recovery.ts';
import type { StateTable } from '../../shared/state/table.ts';
import { DATABASE_ID, useBackupHarness } from '../backup/support/harness.ts';
import { blocksOf } from '../docs/support/blocks.ts';
import { makeReaderFolder } from '../docs/support/reader-folder.ts';
import { runBlocks } from '../docs/support/run-document.ts';
import { loginPassword, loginScript } from '../doctor/support/login-tests.ts';
import { clientOptions } from '../local/aws/support.ts';
import { createStateTable } from '../state/support.ts';
import { targetFor } from '../support/servers.ts';
import { startUpgradableServer, type UpgradableServer, upgradeBinaries } from '../support/upgradable-server.ts';

const GUIDE = 'docs/upgrades-of-databases.md';
const settings = [
  ['rds.logical_replication', '1'],
  ['max_slot_wal_keep_size', '10240'],
].map(([ParameterName, ParameterValue]) => ({ ParameterName, ParameterValue, ApplyMethod: 'pending-reboot' }));
const signal = new AbortController().signal;
const binaries = await upgradeBinaries();
if (!binaries) process.stderr.write('SKIPPED: no older PostgreSQL with pg_dumpall is installed to upgrade from\n');

const harness = useBackupHarness();
let table: StateTable;
beforeAll(async () => {
  ({ table } = await createStateTable(harness.services));
});

/** The guide's blue/green deployment of RDS, with its commands as they are pasted. */
describe.skipIf(binaries === null).each([
  ['after a pause', true],
  ['without a pause', false],
])('a blue/green switchover %s', (_when, pauses) => {
  let server: UpgradableServer;
  let rds: RDSClient;
  let folder: ReturnType<typeof makeReaderFolder>;
  /** Runs commands in one shell. */
  const run = (...commands: string[]) => {
    const text = commands.map((command) => `${command}\n`).join('');
    return runBlocks([{ document: GUIDE, line: 0, language: 'sh', marks: [], text, above: '' }], folder.path);
  };
  const guide = (part: string): string => {
    const found = blocksOf(GUIDE).find(({ text, language }) => language === 'sh' && text.includes(part));
    if (!found) throw new Error(`${GUIDE} has no command with ${part}`);
    return found.text;
  };

  beforeAll(async () => {
    if (!binaries) return;
    const { services } = harness;
    rds = new RDSClient(clientOptions(services.endpoints.rds));
    server = await startUpgradableServer('rds', binaries, {});
    await server.now.asMaster('postgres', 'CREATE DATABASE shop');
    await server.now.asMaster('shop', 'CREATE TABLE orders (id int PRIMARY KEY)', loginScript('rds'));
    // The stand-in for rds_replication is an attribute, and before 16 a superuser alone changes roles that have it.
    await server.now.asRdsadmin('shop', `ALTER ROLE dbms PASSWORD '${loginPassword}'`);
    // The groups of both versions, as the guide makes that of the new one.
    const group = `shop-${binaries.from.version}`;
    folder = makeReaderFolder({ RDS_URL: services.endpoints.rds });
    await run(
      ...[group, 'shop-18'].flatMap((name) => [
        `aws rds create-db-parameter-group --db-parameter-group-name ${name} --db-parameter-group-family ${name.replace('shop-', 'postgres')} --description x`,
        `aws rds modify-db-parameter-group --db-parameter-group-name ${name} --parameters '${JSON.stringify(settings)}'`,
      ]),
    );
    await services.putInstance({
      ...{ DBInstanceIdentifier: 'shop', Engine: 'postgres', EngineVersion: `${binaries.from.version}.18` },
      DBInstanceClass: 'db.t4g.medium',
      DBParameterGroups: [{ DBParameterGroupName: group, ParameterApplyStatus: 'in-sync' }],
    });
    await services.attachServer('shop', server.attached);
    await run('aws rds reboot-db-instance --db-instance-identifier shop');
  });
  afterAll(async () => {
    if (server) await turnRecoveryOff(DATABASE_ID, 'alice', dependencies());
    const groups = server ? [`shop-${binaries?.from.version}`, 'shop-18'] : [];
    await run(...groups.map((name) => `aws rds delete-db-parameter-group --db-parameter-group-name ${name}`));
    rds?.destroy();
    folder?.remove();
    await server?.stop();
  });

  const dependencies = () => ({
    target: targetFor(server.now.server, 'shop', {
      credentials: async () => ({ user: 'dbms', password: loginPassword }),
    }),
    ...{ store: harness.store, table, configuration: { alert_emails: [] }, signal },
    ...{ limits: { mostRetainedBytes: 10 * 1_073_741_824, warnAt: 0.5 }, compressionLevel: 1, timeMs: 60_000 },
    ...{ waitMs: 60_000, captureMinutes: 1, startBase: async () => undefined },
  });
  const resourceId = async () => {
    const { DBInstances } = await rds.send(new DescribeDBInstancesCommand({ DBInstanceIdentifier: 'shop' }));
    return DBInstances?.[0]?.DbiResourceId ?? '';
  };

  test('puts a server without the slot in the place of the old one, on which recovery begins anew', async () => {
    await turnRecoveryOn(DATABASE_ID, 'alice', dependencies());
    await server.now.asMaster('shop', 'INSERT INTO orders VALUES (1)');
    await captureDatabase(DATABASE_ID, dependencies());
    const before = await resourceId();
    const [ran] = await run(guide('create-blue-green-deployment'), 'echo "$deployment"');
    if (pauses) await pauseRecovery(DATABASE_ID, 'alice', dependencies());
    await run(`deployment=${ran?.output.trim()}`, guide('switchover-blue-green-deployment'));

    const { rows } = await server.now.asMaster('shop', 'SELECT id FROM orders');
    expect([server.now.server.version, rows]).toEqual([18, [{ id: 1 }]]);
    expect(await server.now.managed.logicalSlots()).toEqual([]);
    const captured = await captureDatabase(DATABASE_ID, dependencies());
    if (pauses) expect(captured).toEqual({ status: 'off' });
    else expect(captured).toMatchObject({ status: 'closed', code: 'slot_dropped_by_others' });

    const iam = databaseSchema.parse({
      ...{ id: 'shop', kind: 'rds', name: 'shop', host: 'shop.c1abc.eu-west-1.rds.amazonaws.com' },
      login: { type: 'iam', user: 'dbms', resource_id: before },
    });
    const { endpoints } = platformOf(iam);
    const described = await endpoints.describe(rds, iam, AbortSignal.timeout(10_000));
    if (!described) throw new Error('AWS does not know the instance');
    expect(endpoints.findings(iam, described)).toMatchObject([
      { code: 'resource_changed', nextStep: expect.stringContaining(await resourceId()) },
    ]);
    expect(await resourceId()).not.toBe(before);

    await turnRecoveryOn(DATABASE_ID, 'alice', dependencies());
    expect(await server.now.managed.logicalSlots()).toHaveLength(1);
    expect(await describeRecovery(DATABASE_ID, dependencies())).toMatchObject({ status: 'on', closed: null });
  });
});
