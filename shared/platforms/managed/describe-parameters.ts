import {
  type Parameter,
  paginateDescribeDBClusterParameters,
  paginateDescribeDBParameters,
  type RDSClient,
} from '@aws-sdk/client-rds';
import type { ServerDescription } from './describe.ts';

/** A parameter as a group has it. */
export interface DescribedParameter {
  /** As `AllowedValues` writes it: `0,1`, `-1-2147483647`, names with commas; null: anything. */
  allowed: string | null;
  isModifiable: boolean;
  /** A change waits for a restart. */
  isStatic: boolean;
  /** Whether somebody has set it in this group. */
  isSet: boolean;
  /** As the group writes it; null: the engine's own default. */
  value: string | null;
}

export type ParametersOfGroup = ReadonlyMap<string, DescribedParameter>;

/** The groups that say which settings of a server can be changed. */
export interface DescribedParameters {
  /** Of a cluster. */
  cluster: ParametersOfGroup | null;
  /** Of an instance, or of the writer of a cluster. */
  instance: ParametersOfGroup | null;
}

/**
 * What the parameter groups of a server take. AWS lists there each setting that exists on its servers.
 *
 * @throws the SDK's errors
 */
export async function describeParameters(
  rds: RDSClient,
  { isCluster, parameterGroup, instances }: ServerDescription,
  abortSignal: AbortSignal,
): Promise<DescribedParameters> {
  const ofInstance = isCluster ? (instances[0]?.parameterGroup ?? null) : parameterGroup;
  const cluster = isCluster && parameterGroup !== null ? new Map<string, DescribedParameter>() : null;
  const instance = ofInstance === null ? null : new Map<string, DescribedParameter>();
  if (cluster && parameterGroup !== null) {
    const input = { DBClusterParameterGroupName: parameterGroup };
    for await (const { Parameters } of paginateDescribeDBClusterParameters({ client: rds }, input, { abortSignal }))
      take(cluster, Parameters);
  }
  if (instance && ofInstance !== null) {
    const input = { DBParameterGroupName: ofInstance };
    for await (const { Parameters } of paginateDescribeDBParameters({ client: rds }, input, { abortSignal }))
      take(instance, Parameters);
  }
  return { cluster, instance };
}

function take(all: Map<string, DescribedParameter>, parameters: readonly Parameter[] = []): void {
  for (const { ParameterName, ParameterValue, AllowedValues, IsModifiable, ApplyType, Source } of parameters) {
    if (ParameterName === undefined) continue;
    all.set(ParameterName, {
      allowed: AllowedValues || null,
      // A list that does not say so, as of a group that holds no more than what was set.
      isModifiable: IsModifiable !== false,
      isStatic: ApplyType === 'static',
      isSet: Source === 'user',
      value: ParameterValue ?? null,
    });
  }
}
