import { rdsNamesOf } from '../aws/rds-names.ts';
import { describeServer } from './managed/describe.ts';
import { describeParameters } from './managed/describe-parameters.ts';
import { findingsOf } from './managed/findings.ts';
import { readInstanceStorage } from './managed/free-storage.ts';
import { managedLogs } from './managed/log-formats.ts';
import { readInstanceMetrics } from './managed/metrics.ts';
import { changeParameter, groupNote } from './managed/parameter-group.ts';
import { managedPrivileges } from './managed/privileges.ts';
import { managedReplication } from './managed/replication.ts';
import type { Platform } from './platform.ts';
import { slotsBeforeUpgrade } from './slots-before-upgrade.ts';

/** Amazon RDS for PostgreSQL: instances, and Multi-AZ DB clusters. */
export const rds: Platform = {
  kind: 'rds',
  title: 'Amazon RDS',
  metrics: {
    sources: {
      cpu_usage: 'CloudWatch AWS/RDS CPUUtilization',
      memory_free_bytes: 'CloudWatch AWS/RDS FreeableMemory',
      disk_free_bytes: 'CloudWatch AWS/RDS FreeStorageSpace',
      disk_usage:
        'CloudWatch AWS/RDS FreeStorageSpace and AllocatedStorage of the instance; storage_gigabytes of the configuration where RDS cannot be asked',
      disk_ceiling_usage: 'CloudWatch AWS/RDS FreeStorageSpace and MaxAllocatedStorage of the instance',
      local_storage_free_bytes: 'none: an instance has one disk for all',
      capacity_usage: 'none: an instance has a fixed class',
    },
    read: readInstanceMetrics,
    readUse: async () => null,
  },
  storage: { takesSize: true, sizeForSql: () => null, readFree: readInstanceStorage },
  parameters: {
    change: (change, database, place) => changeParameter(change, database, place, false),
    describe: describeParameters,
    note: groupNote,
  },
  logs: managedLogs,
  privileges: managedPrivileges,
  endpoints: {
    hasFiles: false,
    canPause: false,
    hasOwnAuthority: false,
    findings: findingsOf,
    describe: (client, database, signal) => describeServer(client, rdsNamesOf(database), signal),
    reads(database) {
      const { instance, cluster } = rdsNamesOf(database);
      if (cluster !== null) return { instances: ['*'], clusters: [cluster], freeStorage: true };
      return { instances: instance === null ? [] : [instance], clusters: [], freeStorage: true };
    },
  },
  replication: managedReplication,
  upgrades: { replacedByBlueGreen: true, slotsBefore: slotsBeforeUpgrade },
  extensions: {
    allowedBy: 'rds.allowed_extensions',
    ownOnly: ['aws_commons', 'aws_lambda', 'aws_s3', 'rds_tools'],
  },
};
