import { quoteIdentifier, quoteLiteral } from '../postgres/identifiers.ts';
import { quoteShell } from '../quote-shell.ts';
import { managedLogs } from './managed/log-formats.ts';
import { configuredStorage } from './managed/metrics.ts';
import type { Platform, SettingChange, Step } from './platform.ts';
import { slotsBeforeUpgrade } from './slots-before-upgrade.ts';

const NOT_IN_SQL = 'none: SQL does not tell it';

/** A server that its administrators run themselves, on a machine of theirs or in a container. */
export const selfManaged: Platform = {
  kind: 'self-managed',
  title: 'a server of your own',
  metrics: {
    sources: {
      cpu_usage: NOT_IN_SQL,
      memory_free_bytes: NOT_IN_SQL,
      disk_free_bytes: 'storage_gigabytes of the configuration less what the databases and the WAL take',
      disk_usage: 'sizes of the databases and the WAL, and storage_gigabytes of the configuration',
      disk_ceiling_usage: 'none: the disk does not grow by itself',
      local_storage_free_bytes: 'none: SQL does not tell it',
      capacity_usage: 'none: the machine does not scale by itself',
    },
    read: async () => ({}),
    readUse: async () => null,
  },
  storage: {
    takesSize: true,
    sizeForSql: configuredStorage,
    readFree: async () => ({ is: 'unknown', reason: 'A server does not say how much disk space is free' }),
  },
  parameters: {
    change: (change) => ({ is: 'possible', steps: changeSetting(change) }),
    describe: async () => null,
    note: () => '',
  },
  logs: {
    takesNoOther: false,
    prefixes: ['%m [%p]: user=%u,db=%d,app=%a,client=%h ', ...managedLogs.prefixes],
  },
  privileges: {
    logins: ['secret', 'passwordless'],
    scripts: ['self-managed.sql'],
    administrators: null,
    isOwnRole: () => false,
    isAdministrator: ({ bootstrap }) => bootstrap,
    allowReplication: (login) => `ALTER ROLE ${quoteIdentifier(login)} REPLICATION`,
  },
  endpoints: {
    hasFiles: true,
    canPause: false,
    hasOwnAuthority: true,
    findings: () => [],
    describe: async () => null,
    reads: () => ({ instances: [], clusters: [], freeStorage: false }),
  },
  replication: {
    enable: 'Run ALTER SYSTEM SET wal_level = logical and restart the server.',
    unlimitedSlots: null,
    iamSetting: null,
  },
  upgrades: { replacedByBlueGreen: false, slotsBefore: slotsBeforeUpgrade },
  extensions: { allowedBy: null, ownOnly: [] },
};

/** By ALTER SYSTEM, for a superuser. A setting of the database goes before the server's. */
function changeSetting({ name, values, needsRestart, known, databaseName, dataDirectory }: SettingChange): Step[] {
  const quoted = name.split('.').map(quoteIdentifier).join('.');
  const steps: Step[] = [
    ...(known?.source === 'database'
      ? [{ by: 'sql' as const, statement: `ALTER DATABASE ${quoteIdentifier(databaseName)} RESET ${quoted};` }]
      : []),
    {
      by: 'sql',
      statement: `ALTER SYSTEM SET ${quoted} = ${values.map((each) => quoteLiteral(each).trim()).join(', ')};`,
    },
  ];
  if (!needsRestart) return [...steps, { by: 'sql', statement: 'SELECT pg_catalog.pg_reload_conf();' }];
  const folder = dataDirectory === null ? '"$PGDATA"' : quoteShell(dataDirectory);
  return [...steps, { by: 'shell', statement: `pg_ctl restart -m fast -D ${folder}` }];
}
