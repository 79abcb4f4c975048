import * as iam from 'aws-cdk-lib/aws-iam';
import type * as lambda from 'aws-cdk-lib/aws-lambda';
import { Construct } from 'constructs';
import type { EnvironmentName } from '../../shared/configuration/environment.ts';
import type { StorageStack } from '../stacks/storage.ts';
import { NodeFunction, type NodeFunctionProps } from './node-function.ts';
import { writeAudit } from './permissions/audit.ts';
import { readWork, useMaskingKey, writeBackups } from './permissions/backups.ts';
import { useState } from './permissions/state.ts';
import { anyVersionOf } from './permissions/versions.ts';

export interface ExportFunctionsProps {
  readonly storage: StorageStack;
  /** What they have in common with the function that backs up. */
  readonly shared: Pick<NodeFunctionProps, 'deployment' | 'buildFolder' | 'timeout' | 'vpc' | 'layers'>;
  readonly environment: Partial<Record<EnvironmentName, string>>;
  readonly logIn: readonly iam.PolicyStatement[];
}

/**
 * The functions that a backup invokes when it is more than one invocation can do. It invokes the version that was deployed with it,
 * so that the two always understand each other.
 */
export class ExportFunctions extends Construct {
  readonly functions: readonly lambda.Function[];
  readonly holder: lambda.IVersion;
  readonly lane: lambda.IVersion;
  /** Lets a role invoke them, in any version: a backup that runs while a deployment is made goes on with its own. */
  readonly invoke: iam.PolicyStatement;

  constructor(scope: Construct, id: string, { storage, shared, environment, logIn }: ExportFunctionsProps) {
    super(scope, id);
    const { key, maskingKey, bucket, stateTable, auditTable } = storage;
    const holder = new NodeFunction(this, 'SnapshotHolder', {
      ...shared,
      name: 'snapshot-holder',
      description: 'Keeps the snapshot of a backup of many invocations',
      memoryMegabytes: 1024,
      environment,
      statements: [...useState(stateTable, ['Get', 'Update']), ...readWork(bucket, key), ...logIn],
    });
    const lane = new NodeFunction(this, 'ExportLane', {
      ...shared,
      name: 'export-lane',
      description: 'Exports a share of a backup of many invocations',
      memoryMegabytes: 3072,
      passesRows: true,
      environment: { ...environment, maskingKeyArn: maskingKey.keyArn },
      statements: [
        ...useState(stateTable, ['Get', 'Update']),
        ...readWork(bucket, key),
        ...writeBackups(bucket, key),
        ...useMaskingKey(maskingKey, key),
        ...writeAudit(auditTable),
        ...logIn,
      ],
    });
    this.functions = [holder.fn, lane.fn];
    this.holder = holder.fn.currentVersion as lambda.IVersion;
    this.lane = lane.fn.currentVersion as lambda.IVersion;
    this.invoke = new iam.PolicyStatement({
      actions: ['lambda:InvokeFunction'],
      resources: this.functions.map((fn) => anyVersionOf(scope, fn, 'Of each version that backups still run with.')),
    });
  }
}
