import { Duration, Stack, type StackProps } from 'aws-cdk-lib';
import * as events from 'aws-cdk-lib/aws-events';
import * as targets from 'aws-cdk-lib/aws-events-targets';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as destinations from 'aws-cdk-lib/aws-lambda-destinations';
import type * as sns from 'aws-cdk-lib/aws-sns';
import type { Construct } from 'constructs';
import type { EnvironmentName } from '../../shared/configuration/environment.ts';
import { metricNamespace } from '../../shared/health/metrics.ts';
import type { Deployment } from '../config/schema.ts';
import { AuditSealing } from '../constructs/audit-sealing.ts';
import { BackupAges } from '../constructs/backup-ages.ts';
import { BackupExpiry } from '../constructs/backup-expiry.ts';
import { BackupSchedules } from '../constructs/backup-schedules.ts';
import { ChangeCapture } from '../constructs/change-capture.ts';
import { ComplianceChecks } from '../constructs/compliance-checks.ts';
import { CopyWatch } from '../constructs/copy-watch.ts';
import { DatabaseLogs } from '../constructs/database-logs.ts';
import { DeadLetterQueue } from '../constructs/dead-letter-queue.ts';
import { DrillSchedules } from '../constructs/drill-schedules.ts';
import { ExportFunctions } from '../constructs/export-functions.ts';
import { configurationLayer, layerPaths, postgresToolsLayer } from '../constructs/layers.ts';
import { NodeFunction } from '../constructs/node-function.ts';
import { PasswordRotation } from '../constructs/password-rotation.ts';
import { writeAudit } from '../constructs/permissions/audit.ts';
import {
  readBackups,
  readLocks,
  readManifests,
  readWork,
  removeBackups,
  useMaskingKey,
  writeBackups,
} from '../constructs/permissions/backups.ts';
import { readChanges } from '../constructs/permissions/changes.ts';
import { writeDownloads } from '../constructs/permissions/downloads.ts';
import { logInToDatabases } from '../constructs/permissions/logins.ts';
import { sendMails } from '../constructs/permissions/mails.ts';
import { publishMetrics, readFreeStorage } from '../constructs/permissions/metrics.ts';
import { readProtection } from '../constructs/permissions/protection.ts';
import { useState } from '../constructs/permissions/state.ts';
import { VersionPruning } from '../constructs/version-pruning.ts';
import type { StorageStack } from './storage.ts';

export interface BackupsStackProps extends StackProps {
  readonly deployment: Deployment;
  readonly buildFolder: string;
  readonly storage: StorageStack;
}

/** The durable functions that back up and restore, what starts them on time, and what hears of their end. */
export class BackupsStack extends Stack {
  /** Aliases, as the executions of a durable function stay with the version that they began with. */
  readonly backup: lambda.Alias;
  readonly restore: lambda.Alias;
  readonly rebuild: lambda.Alias;
  readonly schedules: BackupSchedules;
  readonly download: lambda.Alias;
  readonly validate: lambda.Alias;

  constructor(scope: Construct, id: string, { deployment, buildFolder, storage, ...props }: BackupsStackProps) {
    super(scope, id, { ...props, description: 'Backup and restore of PostgreSQL databases' });
    const { key, maskingKey, bucket, downloads, stateTable, auditTable } = storage;
    storage.acknowledgeBackupPaths(this);
    const deadLetters = new DeadLetterQueue(this, 'DeadLetters', `${deployment.prefix}: a backup was not started`);
    const common = { deployment, buildFolder };
    const invocation = Duration.seconds(deployment.invocation_seconds);
    const configurationPart = configurationLayer(this, buildFolder, deployment);
    const shared = {
      ...common,
      timeout: invocation,
      vpc: deployment.databases.find(({ vpc }) => vpc)?.vpc,
      layers: [configurationPart],
    };
    const durable = {
      ...shared,
      durableFor: Duration.hours(deployment.job_timeout_hours),
      layers: [configurationPart, postgresToolsLayer(this, buildFolder)],
    };
    const environment: Partial<Record<EnvironmentName, string>> = {
      configurationPath: layerPaths.configuration,
      stateTable: stateTable.tableName,
      auditTable: auditTable.tableName,
      backupBucket: bucket.bucketName,
      backupKeyArn: key.keyArn,
    };
    const logIn = logInToDatabases(this, deployment.databases);
    // Lambda hands over what it could not start in the name of the function's role.
    const handOver = new iam.PolicyStatement({
      actions: ['sqs:SendMessage'],
      resources: [deadLetters.queue.queueArn],
    });

    const exporting = new ExportFunctions(this, 'Export', { storage, shared, environment, logIn });
    const backup = new NodeFunction(this, 'Backup', {
      ...durable,
      name: 'backup',
      description: 'Takes one backup: a durable job',
      memoryMegabytes: 3072,
      environment: {
        ...environment,
        postgresToolsPath: layerPaths.postgresTools,
        maskingKeyArn: maskingKey.keyArn,
        snapshotHolderFunctionArn: exporting.holder.functionArn,
        exportLaneFunctionArn: exporting.lane.functionArn,
      },
      statements: [
        ...useState(stateTable, ['Get', 'Put', 'Update', 'Delete', 'Query']),
        ...writeBackups(bucket, key),
        ...readWork(bucket, key),
        ...readManifests(bucket),
        ...removeBackups(bucket),
        ...readChanges(bucket, key),
        ...useMaskingKey(maskingKey, key),
        ...logIn,
        exporting.invoke,
        ...writeAudit(auditTable),
        handOver,
      ],
    });
    const restore = new NodeFunction(this, 'Restore', {
      ...durable,
      name: 'restore',
      description: 'Restores one backup into a new database, or its rows into tables that are there: a durable job',
      memoryMegabytes: 3072,
      environment: {
        ...environment,
        maskingKeyArn: maskingKey.keyArn,
        postgresToolsPath: layerPaths.postgresTools,
      },
      statements: [
        ...useState(stateTable, ['Get', 'Update', 'Delete']),
        ...readBackups(bucket, key),
        ...useMaskingKey(maskingKey, key),
        ...readFreeStorage(deployment.databases),
        ...logIn,
        ...writeAudit(auditTable),
        handOver,
      ],
    });
    const validate = new NodeFunction(this, 'Validate', {
      ...durable,
      name: 'validate',
      description: 'Proves one backup, by reading it or by restoring it: a durable job',
      memoryMegabytes: 3072,
      environment: {
        ...environment,
        metricNamespace: metricNamespace(deployment.prefix),
        postgresToolsPath: layerPaths.postgresTools,
      },
      statements: [
        ...useState(stateTable, ['Get', 'Put', 'Update', 'Delete', 'Query']),
        ...readBackups(bucket, key),
        // The drill server alone.
        ...logInToDatabases(
          this,
          deployment.databases.filter(({ id }) => id === deployment.drills.server),
        ),
        publishMetrics(deployment.prefix),
        ...writeAudit(auditTable),
        handOver,
      ],
    });
    const rebuild = new NodeFunction(this, 'RebuildCatalog', {
      ...common,
      layers: [configurationPart],
      name: 'rebuild-catalog',
      description: 'Lists the backups in the bucket again: a durable job',
      timeout: invocation,
      durableFor: durable.durableFor,
      memoryMegabytes: 1024,
      environment,
      statements: [
        ...useState(stateTable, ['Get', 'Put', 'Update', 'Delete']),
        ...readBackups(bucket, key),
        ...readLocks(bucket),
        ...writeAudit(auditTable),
        handOver,
      ],
    });
    const download = new NodeFunction(this, 'Download', {
      ...common,
      layers: [configurationPart],
      name: 'download',
      description: 'Makes a script of one backup: a durable job',
      timeout: invocation,
      durableFor: durable.durableFor,
      memoryMegabytes: 2048,
      environment: { ...environment, downloadBucket: downloads.bucketName },
      statements: [
        ...useState(stateTable, ['Get', 'Update', 'Delete']),
        ...readBackups(bucket, key),
        ...writeDownloads(downloads, key),
        ...writeAudit(auditTable),
        handOver,
      ],
    });
    this.backup = this.liveAlias(backup, deadLetters);
    this.restore = this.liveAlias(restore, deadLetters);
    this.rebuild = this.liveAlias(rebuild, deadLetters);
    this.download = this.liveAlias(download, deadLetters);
    this.validate = this.liveAlias(validate, deadLetters);

    const ended = new NodeFunction(this, 'ExecutionEnded', {
      ...common,
      name: 'execution-ended',
      description: 'Marks the job of an execution that ended badly as failed',
      timeout: Duration.seconds(30),
      memoryMegabytes: 512,
      environment: { stateTable: stateTable.tableName },
      statements: useState(stateTable, ['Get', 'Update', 'Delete']),
    });
    new events.Rule(this, 'ExecutionEndedBadly', {
      description: 'Durable executions that failed, timed out or were stopped',
      eventPattern: {
        source: ['aws.lambda'],
        detailType: ['Durable Execution Status Change'],
        detail: {
          status: ['FAILED', 'TIMED_OUT', 'STOPPED'],
          // Of any version: the ARN ends with one.
          functionArn: [backup, restore, rebuild, download, validate].map(({ fn }) => ({ prefix: fn.functionArn })),
        },
      },
      targets: [new targets.LambdaFunction(ended.fn, { deadLetterQueue: deadLetters.queue })],
    });

    new BackupExpiry(this, 'Expiry', { ...common, storage, deadLetterQueue: deadLetters.queue });
    new ChangeCapture(this, 'Capture', {
      ...common,
      storage,
      backup: this.backup,
      deadLetterQueue: deadLetters.queue,
      logIn,
    });
    new DatabaseLogs(this, 'DatabaseLogs', { ...common, storage, deadLetterQueue: deadLetters.queue });
    new AuditSealing(this, 'Audit', { ...common, storage, deadLetterQueue: deadLetters.queue });
    new ComplianceChecks(this, 'Compliance', {
      ...common,
      storage,
      deadLetterQueue: deadLetters.queue,
      logIn,
      protection: readProtection(this, bucket, key, deployment.databases),
      sendMails: sendMails(this, deployment),
    });
    new PasswordRotation(this, 'Passwords', common);
    new VersionPruning(this, 'Versions', {
      ...common,
      storage,
      functions: [...exporting.functions, ...[backup, restore, validate, rebuild, download].map(({ fn }) => fn)],
      deadLetterQueue: deadLetters.queue,
    });
    new BackupAges(this, 'Ages', { ...common, storage, deadLetterQueue: deadLetters.queue });
    new DrillSchedules(this, 'Drills', { deployment, target: this.validate, deadLetterQueue: deadLetters.queue });
    if (storage.failedCopies) {
      new CopyWatch(this, 'Copies', {
        ...common,
        storage,
        failures: storage.failedCopies as sns.ITopic,
        deadLetterQueue: deadLetters.queue,
      });
    }
    this.schedules = new BackupSchedules(this, 'Schedules', {
      ...common,
      storage,
      target: this.backup,
      deadLetterQueue: deadLetters.queue,
    });
  }

  private liveAlias({ fn }: NodeFunction, { queue }: DeadLetterQueue): lambda.Alias {
    return new lambda.Alias(this, `${fn.node.scope?.node.id}Live`, {
      aliasName: 'live',
      version: fn.currentVersion as lambda.IVersion,
      // The job repeats what is worth repeating. An execution that Lambda began anew would be another backup.
      retryAttempts: 0,
      maxEventAge: Duration.hours(6),
      onFailure: new destinations.SqsDestination(queue),
    });
  }
}
