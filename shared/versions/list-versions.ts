import {
  type LambdaClient,
  paginateListAliases,
  paginateListDurableExecutionsByFunction,
  paginateListVersionsByFunction,
} from '@aws-sdk/client-lambda';
import type { VersionedFunction } from './prunable.ts';

/** Lists the versions of a function and those that aliases stand for. @throws the SDK's errors */
export async function listVersions(
  client: LambdaClient,
  name: string,
  signal: AbortSignal,
): Promise<VersionedFunction> {
  const versions: VersionedFunction['versions'][number][] = [];
  for await (const page of paginateListVersionsByFunction({ client, pageSize: 50 }, { FunctionName: name })) {
    signal.throwIfAborted();
    for (const { Version, LastModified, DurableConfig } of page.Versions ?? []) {
      if (Version === undefined || Version === '$LATEST') continue;
      versions.push({
        version: Version,
        publishedAt: timeOf(name, Version, LastModified),
        durable: DurableConfig
          ? {
              executionSeconds: DurableConfig.ExecutionTimeout ?? 0,
              historyDays: DurableConfig.RetentionPeriodInDays ?? 0,
            }
          : null,
      });
    }
  }
  const aliased = new Set<string>();
  for await (const page of paginateListAliases({ client, pageSize: 50 }, { FunctionName: name })) {
    signal.throwIfAborted();
    for (const { FunctionVersion, RoutingConfig } of page.Aliases ?? []) {
      if (FunctionVersion !== undefined) aliased.add(FunctionVersion);
      for (const other of Object.keys(RoutingConfig?.AdditionalVersionWeights ?? {})) aliased.add(other);
    }
  }
  return { name, versions, aliased };
}

/** Whether an execution of a version has not ended. @throws the SDK's errors */
export async function hasRunningExecution(client: LambdaClient, name: string, version: string): Promise<boolean> {
  const query = { FunctionName: name, Qualifier: version, Statuses: ['RUNNING' as const] };
  // A page may be empty and yet have one after it.
  for await (const page of paginateListDurableExecutionsByFunction({ client, pageSize: 10 }, query)) {
    if ((page.DurableExecutions ?? []).length > 0) return true;
  }
  return false;
}

/** Lambda writes `2026-01-31T10:00:00.000+0000`. */
function timeOf(name: string, version: string, text: string | undefined): Date {
  const time = new Date((text ?? '').replace(/([+-]\d{2})(\d{2})$/, '$1:$2'));
  if (Number.isNaN(time.getTime()))
    throw new Error(`Lambda gives no time for version ${version} of ${name}, but ${JSON.stringify(text)}`);
  return time;
}
