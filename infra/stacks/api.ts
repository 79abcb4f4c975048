import { ArnFormat, CfnOutput, Duration, Stack, type StackProps, Validations } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import type * as lambda from 'aws-cdk-lib/aws-lambda';
import type { Construct } from 'constructs';
import type { EnvironmentName } from '../../shared/configuration/environment.ts';
import { type ApiFunction, basePath, routes } from '../../shared/contract/routes.ts';
import type { Deployment } from '../config/schema.ts';
import { Firewall } from '../constructs/firewall.ts';
import { configurationLayer, layerPaths } from '../constructs/layers.ts';
import { NodeFunction } from '../constructs/node-function.ts';
import { readAudit, writeAudit } from '../constructs/permissions/audit.ts';
import {
  readBackups,
  readLocks,
  readManifests,
  removeBackups,
  useMaskingKey,
} from '../constructs/permissions/backups.ts';
import { captureChanges, readChanges } from '../constructs/permissions/changes.ts';
import { readDownloads, removeDownloads } from '../constructs/permissions/downloads.ts';
import { logInToDatabases } from '../constructs/permissions/logins.ts';
import { readFreeStorage } from '../constructs/permissions/metrics.ts';
import { describeServers, readProtection } from '../constructs/permissions/protection.ts';
import { askForSamples, countCalls, countRefusals, readSamples, useState } from '../constructs/permissions/state.ts';
import { RoutedApi } from '../constructs/routed-api.ts';
import { UserPool } from '../constructs/user-pool.ts';
import type { BackupsStack } from './backups.ts';
import { SAMPLER_NAME } from './monitoring.ts';
import type { StorageStack } from './storage.ts';

export interface ApiStackProps extends StackProps {
  readonly deployment: Deployment;
  readonly buildFolder: string;
  readonly storage: StorageStack;
  readonly backups: BackupsStack;
}

/** What a function that serves routes is, beyond its code. */
interface ApiFunctionShape {
  readonly description: string;
  readonly environment: Partial<Record<EnvironmentName, string>>;
  readonly statements: readonly iam.PolicyStatement[];
  /** The network of the databases, for a function that connects to them. */
  readonly vpc?: Deployment['databases'][number]['vpc'];
}

/** API Gateway waits 29 seconds for a function. */
const REQUEST = Duration.seconds(28);

/** The REST API with the functions that guard and serve it. */
export class ApiStack extends Stack {
  constructor(scope: Construct, id: string, { deployment, buildFolder, storage, backups, ...props }: ApiStackProps) {
    super(scope, id, { ...props, description: 'HTTP API of the database management system' });
    storage.acknowledgeBackupPaths(this);
    const { stateTable, auditTable } = storage;
    const layers = [configurationLayer(this, buildFolder, deployment)];
    const make = (name: string, timeout: Duration, { description, environment, statements, vpc }: ApiFunctionShape) =>
      new NodeFunction(this, name, {
        name,
        description,
        deployment,
        buildFolder,
        timeout,
        memoryMegabytes: 512,
        layers,
        environment: { configurationPath: layerPaths.configuration, ...environment },
        statements,
        vpc,
      }).fn;

    const pool = deployment.identity ? null : new UserPool(this, 'UserPool', deployment);
    const authorizer = make('authorizer', Duration.seconds(10), {
      description: 'Verifies the tokens of callers, and records whom it refuses',
      environment: {
        stateTable: stateTable.tableName,
        auditTable: auditTable.tableName,
        ...(pool ? { identityIssuer: pool.issuer, identityAudience: pool.audience } : {}),
      },
      statements: [...useState(stateTable, ['Get']), ...countRefusals(stateTable), ...writeAudit(auditTable)],
    });
    const logIn = logInToDatabases(this, deployment.databases);
    const vpc = deployment.databases.find((database) => database.vpc)?.vpc;
    const freeStorage = readFreeStorage(deployment.databases);
    const changeSchedules = backups.schedules.rights(this);
    const shapes = shapesOf(storage, backups, {
      logIn,
      freeStorage,
      vpc,
      changeSchedules,
      protection: readProtection(this, storage.bucket, storage.key, deployment.databases),
      describe: describeServers(this, deployment.databases),
      // By its name, as it is of a stack that comes after this one.
      samplerArn: this.formatArn({
        service: 'lambda',
        resource: 'function',
        resourceName: `${deployment.prefix}-${SAMPLER_NAME}`,
        arnFormat: ArnFormat.COLON_RESOURCE_NAME,
      }),
    });
    const functions = Object.fromEntries(
      Object.entries(shapes).map(([name, shape]) => [name, make(name, REQUEST, audited(name, shape, storage))]),
    ) as Record<ApiFunction, lambda.Function>;
    const { api } = new RoutedApi(this, 'Routes', { deployment, authorizer, functions });
    new Firewall(this, 'Firewall', { deployment, stage: api.deploymentStage });

    Validations.of(api).acknowledge(
      { id: 'AwsSolutions-COG4', reason: 'A Lambda authorizer verifies tokens of any OpenID Connect issuer.' },
      {
        id: 'AwsSolutions-APIG3',
        reason: 'Whether a web ACL stands before the API is the decision of who deploys it: see api.firewall.',
      },
      { id: 'AwsSolutions-APIG4', reason: 'Only the API description is public; all other routes have the authorizer.' },
      {
        id: 'AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs]',
        reason: 'API Gateway asks for this policy on the role with which it writes the logs of a whole account.',
      },
    );
    new CfnOutput(this, 'ApiAddress', { value: api.urlForPath(basePath) });
  }
}

/** Every call is counted and audited, but to what is public: the function that writes the trail also asks whether it is on. */
function audited(name: string, shape: ApiFunctionShape, { auditTable, stateTable }: StorageStack): ApiFunctionShape {
  const isPublic = routes.every(({ servedBy, leastRole }) => servedBy !== name || leastRole === 'public');
  if (isPublic) return shape;
  return {
    ...shape,
    environment: { ...shape.environment, auditTable: auditTable.tableName },
    statements: [...shape.statements, ...countCalls(stateTable), ...writeAudit(auditTable)],
  };
}

function shapesOf(
  { bucket, downloads, key, dataKey, maskingKey, stateTable, auditTable, auditBucket, auditKey }: StorageStack,
  { backup, restore, rebuild, validate, download, schedules }: BackupsStack,
  {
    logIn,
    freeStorage,
    vpc,
    changeSchedules,
    protection,
    describe,
    samplerArn,
  }: {
    logIn: readonly iam.PolicyStatement[];
    freeStorage: readonly iam.PolicyStatement[];
    vpc: ApiFunctionShape['vpc'];
    changeSchedules: readonly iam.PolicyStatement[];
    protection: readonly iam.PolicyStatement[];
    describe: readonly iam.PolicyStatement[];
    samplerArn: string;
  },
): Record<ApiFunction, ApiFunctionShape> {
  const state = { stateTable: stateTable.tableName };
  const invoke = (target: lambda.Alias) =>
    new iam.PolicyStatement({ actions: ['lambda:InvokeFunction'], resources: [target.functionArn] });
  return {
    'backups-api': {
      description: 'Starts, lists, shows, validates and deletes backups',
      environment: {
        ...state,
        backupBucket: bucket.bucketName,
        downloadBucket: downloads.bucketName,
        backupFunctionArn: backup.functionArn,
        rebuildFunctionArn: rebuild.functionArn,
        validateFunctionArn: validate.functionArn,
      },
      statements: [
        ...useState(stateTable, ['Get', 'Put', 'Update', 'Delete', 'Query']),
        ...removeBackups(bucket),
        ...removeDownloads(downloads),
        ...readLocks(bucket),
        invoke(backup),
        invoke(rebuild),
        invoke(validate),
      ],
    },
    'schedules-api': {
      description: 'Shows and changes backup schedules',
      environment: { ...state, ...schedules.environment },
      statements: [...useState(stateTable, ['Get', 'Update', 'Query'], ['schedules']), ...changeSchedules],
    },
    'downloads-api': {
      description: 'Starts downloads and signs their addresses',
      environment: {
        ...state,
        backupBucket: bucket.bucketName,
        backupKeyArn: key.keyArn,
        downloadBucket: downloads.bucketName,
        downloadFunctionArn: download.functionArn,
      },
      // What it may read is what it can sign addresses of.
      statements: [
        ...useState(stateTable, ['Get', 'Put', 'Update', 'Delete']),
        ...readBackups(bucket, key),
        ...readDownloads(downloads, key),
        invoke(download),
      ],
    },
    'restore-api': {
      description: 'Starts restores',
      environment: {
        ...state,
        backupBucket: bucket.bucketName,
        backupKeyArn: key.keyArn,
        restoreFunctionArn: restore.functionArn,
      },
      statements: [
        ...useState(stateTable, ['Get', 'Put', 'Update', 'Delete', 'Query']),
        ...readManifests(bucket),
        ...readChanges(bucket, key),
        invoke(restore),
      ],
    },
    'restore-server-api': {
      description: 'Checks restores against the database server, swaps databases back, and drops unfinished ones',
      environment: {
        ...state,
        backupBucket: bucket.bucketName,
        backupKeyArn: key.keyArn,
        maskingKeyArn: maskingKey.keyArn,
      },
      statements: [
        ...useState(stateTable, ['Get', 'Update', 'Query']),
        ...readBackups(bucket, key),
        ...useMaskingKey(maskingKey, key),
        ...freeStorage,
        ...logIn,
      ],
      ...(vpc ? { vpc } : {}),
    },
    'recovery-api': {
      description:
        'Turns point-in-time recovery on and off, shows the recovery window, and lists what happened to rows',
      environment: { ...state, backupBucket: bucket.bucketName, backupKeyArn: key.keyArn },
      statements: [
        ...useState(stateTable, ['Get', 'Put', 'Update', 'Delete', 'Query']),
        ...readManifests(bucket),
        ...captureChanges(bucket, key),
        ...logIn,
      ],
      ...(vpc ? { vpc } : {}),
    },
    'jobs-api': {
      description: 'Lists, shows and cancels jobs',
      environment: state,
      statements: useState(stateTable, ['Get', 'Update', 'Query']),
    },
    'health-api': {
      description: 'Shows how databases are, their sessions and locks, and ends sessions',
      environment: { ...state, samplerFunctionArn: samplerArn },
      statements: [
        ...useState(stateTable, ['Get']),
        ...readSamples(stateTable),
        ...askForSamples(stateTable),
        ...logIn,
        new iam.PolicyStatement({ actions: ['lambda:InvokeFunction'], resources: [samplerArn] }),
      ],
      ...(vpc ? { vpc } : {}),
    },
    'doctor-api': {
      description: 'Examines what works with a database and its login',
      environment: state,
      statements: [...useState(stateTable, ['Get', 'Put']), ...describe, ...logIn],
      ...(vpc ? { vpc } : {}),
    },
    'alerts-api': {
      description: 'Lists, acknowledges and resolves alerts, and keeps their thresholds',
      environment: state,
      statements: useState(stateTable, ['Get', 'Put', 'Update', 'Query'], ['alerts']),
    },
    'masking-api': {
      description: 'Keeps the rules of masking, and holds them against the database',
      environment: { ...state, backupKeyArn: key.keyArn, maskingKeyArn: maskingKey.keyArn },
      statements: [
        ...useState(stateTable, ['Get', 'Put'], ['masking rules']),
        ...useMaskingKey(maskingKey, key),
        ...logIn,
      ],
      ...(vpc ? { vpc } : {}),
    },
    'audit-api': {
      description: 'Lists and proves the audit trail',
      environment: {
        ...state,
        auditBucket: auditBucket.bucketName,
        archiveKeyArn: dataKey.keyArn,
        backupKeyArn: key.keyArn,
        auditKeyArn: auditKey.keyArn,
      },
      statements: [
        ...useState(stateTable, ['Get']),
        ...readAudit(auditTable, auditBucket, { dataKey, backupKey: key }),
        new iam.PolicyStatement({ actions: ['kms:GetPublicKey'], resources: [auditKey.keyArn] }),
      ],
    },
    'settings-api': {
      description:
        'Changes the settings of access and audit, revokes tokens, and keeps waivers; connects to no database',
      environment: state,
      statements: useState(stateTable, ['Get', 'Put', 'Update', 'Query'], ['security', 'revocations', 'waivers']),
    },
    'compliance-api': {
      description: 'Judges databases by the rules of compliance',
      environment: {
        ...state,
        backupBucket: bucket.bucketName,
        backupKeyArn: key.keyArn,
        auditBucket: auditBucket.bucketName,
        archiveKeyArn: dataKey.keyArn,
        auditKeyArn: auditKey.keyArn,
      },
      statements: [
        ...useState(stateTable, ['Get', 'Put', 'Query']),
        ...protection,
        ...readAudit(auditTable, auditBucket, { dataKey, backupKey: key }),
        new iam.PolicyStatement({ actions: ['kms:GetPublicKey'], resources: [auditKey.keyArn] }),
        ...logIn,
      ],
      ...(vpc ? { vpc } : {}),
    },
    'access-api': {
      description: 'Shows who can do what, and changes the limits of logins',
      environment: state,
      statements: [...useState(stateTable, ['Get', 'Put']), ...logIn],
      ...(vpc ? { vpc } : {}),
    },
    'docs-api': { description: 'Describes the API', environment: {}, statements: [] },
  };
}
