import { rdsNamesOf } from '../aws/rds-names.ts';
import { describeServer } from './managed/describe.ts';
import { describeParameters } from './managed/describe-parameters.ts';
import { findingsOf } from './managed/findings.ts';
import { managedLogs } from './managed/log-formats.ts';
import { readClusterMetrics, readServerlessUse } from './managed/metrics.ts';
import { changeParameter, groupNote } from './managed/parameter-group.ts';
import { managedPrivileges } from './managed/privileges.ts';
import { managedReplication } from './managed/replication.ts';
import type { Platform } from './platform.ts';
import { slotsBeforeUpgrade } from './slots-before-upgrade.ts';

/** Amazon Aurora PostgreSQL, provisioned and Serverless v2. */
export const aurora: Platform = {
  kind: 'aurora',
  title: 'Amazon Aurora',
  metrics: {
    sources: {
      cpu_usage: 'CloudWatch AWS/RDS CPUUtilization',
      memory_free_bytes: 'CloudWatch AWS/RDS FreeableMemory',
      disk_free_bytes: "none: Aurora's storage grows by itself",
      disk_usage: 'CloudWatch AWS/RDS VolumeBytesUsed of the 128 TiB that Aurora grows to',
      disk_ceiling_usage: 'none: see disk_usage',
      local_storage_free_bytes: 'CloudWatch AWS/RDS FreeLocalStorage',
      capacity_usage: 'CloudWatch AWS/RDS ACUUtilization of Serverless v2',
    },
    read: readClusterMetrics,
    readUse: readServerlessUse,
  },
  storage: { takesSize: false, sizeForSql: () => null, readFree: async () => ({ is: 'growing' }) },
  parameters: {
    change: (change, database, place) => changeParameter(change, database, place, true),
    describe: describeParameters,
    note: groupNote,
  },
  logs: managedLogs,
  privileges: managedPrivileges,
  endpoints: {
    hasFiles: false,
    canPause: true,
    hasOwnAuthority: false,
    findings: findingsOf,
    describe: (client, database, signal) => describeServer(client, rdsNamesOf(database), signal),
    reads: (database) => ({ instances: ['*'], clusters: [rdsNamesOf(database).cluster ?? '*'], freeStorage: false }),
  },
  replication: managedReplication,
  upgrades: { replacedByBlueGreen: true, slotsBefore: slotsBeforeUpgrade },
  extensions: {
    allowedBy: 'rds.allowed_extensions',
    ownOnly: ['apg_plan_mgmt', 'aurora_stat_utils', 'aws_commons', 'aws_lambda', 'aws_ml', 'aws_s3', 'rds_tools'],
  },
};
