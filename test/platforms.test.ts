import { describe, expect, test } from 'vitest';
import { assertNoBabelfish } from '../shared/backup/export/babelfish.ts';
import { checkSetup, setupPlaceOf } from '../shared/changes/setup/check-setup.ts';
import { databaseSchema } from '../shared/configuration/runtime.ts';
import type { ServerDescription } from '../shared/platforms/managed/describe.ts';
import { platformOf } from '../shared/platforms/platforms.ts';

const login = { type: 'iam', user: 'dbms', resource_id: 'cluster-OLD' };
const host = 'ledger.cluster-c1abc.eu-west-1.rds.amazonaws.com';
const databaseOf = (changes: object) =>
  databaseSchema.parse({ id: 'ledger', kind: 'aurora', name: 'ledger', host, login, ...changes });
const member = (id: string, isWriter: boolean) => ({
  ...{ id, isWriter, class: 'db.r8g.large', public: false, minorUpgrades: true, resourceId: `db-${id}` },
  ...{ address: `${id}.c1abc.eu-west-1.rds.amazonaws.com`, authority: null, certificateEnds: null },
  ...{ parameterGroup: null, storage: null },
});
const cluster: ServerDescription = {
  ...{ id: 'ledger', isCluster: true, status: 'available', engine: 'aurora-postgresql', engineVersion: '16.4' },
  instances: [member('a', true), member('b', false)],
  endpoints: { writer: host, reader: host.replace('.cluster-', '.cluster-ro-'), custom: ['reports.example'] },
  ...{ resourceId: 'cluster-NEW', masterUser: 'admin', encrypted: true, retentionDays: 7, deletionProtection: true },
  ...{ exportsLog: true, parameterGroup: null, capacity: null, unsupported: null },
  placement: {
    ...{ subnetGroup: null, securityGroups: [], isMultiAz: false, port: 5432, storageType: null, isByIam: true },
  },
};
const findings = (changes: object, server = cluster) => {
  const database = databaseOf(changes);
  return platformOf(database).endpoints.findings(database, server);
};

describe('what AWS says of a server', () => {
  test('names a resource id that is another after a restore or a blue/green switchover, and how to update it', () => {
    expect(findings({})).toMatchObject([
      {
        code: 'resource_changed',
        blocks: 'nothing',
        message: expect.stringMatching(/resource id cluster-NEW.*blue\/green/),
        nextStep: 'Set login.resource_id to "cluster-NEW" in the configuration of this database and deploy.',
      },
    ]);
    expect(findings({ login: { ...login, resource_id: 'cluster-NEW' } })).toEqual([]);
  });

  test.each(['ledger.cluster-ro-c1abc.eu-west-1.rds.amazonaws.com', 'reports.example'])(
    'recognises %s as an endpoint of several servers, which jobs cannot use',
    (other) => {
      const [finding] = findings({ host: other, login: { ...login, resource_id: 'cluster-NEW' } });
      expect(finding).toMatchObject({ code: 'server_needed', blocks: 'jobs', nextStep: expect.stringContaining(host) });
    },
  );

  test('refuses a cluster of Limitless Database by name', () => {
    const [finding] = findings({}, { ...cluster, unsupported: 'Aurora PostgreSQL Limitless Database' });
    expect(finding).toMatchObject({ code: 'server_unsupported', blocks: 'everything' });
  });
});

describe('point-in-time recovery', () => {
  const facts = {
    ...{ wal_level: 'logical', in_recovery: false, slots: 10, used_slots: 0, keep_size: '-1', iam_streaming: 'off' },
    ...{
      login: 'dbms',
      may_replicate: false,
      may_create_event_triggers: true,
      may_create_schemas: true,
      database: 'shop',
    },
  };
  const client = { query: async () => ({ rows: [facts] }) } as never;
  const codes = async (changes: object) => {
    const { problems, warnings } = await checkSetup(client, setupPlaceOf(databaseOf(changes)));
    return [problems.map(({ code }) => code), warnings.map(({ code }) => code)];
  };
  const secret = { type: 'secret', secret_arn: 'arn:aws:secretsmanager:eu-west-1:111122223333:secret:x' };

  test('is refused on RDS and Aurora while slots keep any amount of log, and only warned of elsewhere', async () => {
    for (const kind of ['rds', 'aurora'])
      expect(await codes({ kind, login: secret })).toEqual([['replication_refused', 'log_not_limited'], []]);
    expect(await codes({ kind: 'self-managed', login: secret })).toEqual([
      ['replication_refused'],
      ['log_not_limited'],
    ]);
  });

  test('says that a login by IAM cannot stream changes, and that a database that may pause cannot be captured', async () => {
    expect(await codes({})).toEqual([['replication_refused', 'log_not_limited'], ['streaming_refused']]);
    expect(await codes({ allow_pause: true })).toEqual([
      ['replication_refused', 'log_not_limited', 'pausing_excluded'],
      ['streaming_refused'],
    ]);
  });

  test('says how replication is granted in the words of the platform', async () => {
    const grant = async (kind: string) => {
      const { problems } = await checkSetup(client, setupPlaceOf(databaseOf({ kind, login: secret })));
      return problems.find(({ code }) => code === 'replication_refused')?.nextStep;
    };
    expect(await grant('aurora')).toBe('Run GRANT rds_replication TO "dbms".');
    expect(await grant('self-managed')).toBe('Run ALTER ROLE "dbms" REPLICATION.');
  });
});

test('a database of Babelfish is refused by name before anything of it is read', async () => {
  const client = { query: async () => ({ rows: [{ has: true }] }) } as never;
  await expect(assertNoBabelfish(client)).rejects.toMatchObject({
    code: 'server_unsupported',
    message: expect.stringContaining('babelfishpg_tsql'),
  });
});
