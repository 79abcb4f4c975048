import type { FunctionVersion } from '../template/functions.ts';
import { LambdaServiceError } from './errors.ts';
import type { LambdaService } from './service.ts';

/** A call of the part of the Lambda API that lists and deletes. */
export type ManagementCall = { readonly method: string; readonly path: string; readonly query: URLSearchParams };

/** What the account gets by default; a new one has 10. */
const DEFAULT_QUOTA = 1000;

/** Answers a call; `null` when no route fits. @throws LambdaServiceError */
export async function handleManagementCall(
  lambda: LambdaService,
  { method, path, query }: ManagementCall,
): Promise<Record<string, unknown> | null> {
  if (method === 'GET' && path.startsWith('/2016-08-19/account-settings')) return accountSettings(lambda);
  const [, given, part] = /^\/2015-03-31\/functions\/([^/]+)(?:\/(versions|aliases))?\/?$/.exec(path) ?? [];
  if (given === undefined) return null;
  const name = decodeURIComponent(given);
  if (method === 'DELETE' && part === undefined) {
    await lambda.deleteVersion(name, query.get('Qualifier') ?? undefined);
    return {};
  }
  if (method !== 'GET' || part === undefined) return null;
  const definition = lambda.functions().find((each) => each.name === name || each.arn === name);
  if (!definition) throw new LambdaServiceError(404, 'ResourceNotFoundException', `Function not found: ${name}`);
  if (part === 'versions') {
    const all = [['$LATEST', definition] as const, ...definition.versions].map(([number, version]) =>
      configurationOf(number, version),
    );
    const { items, marker } = paged(all, query);
    return { Versions: items, ...marker };
  }
  const aliases = [...definition.qualifiers]
    .filter(([alias, number]) => alias !== number)
    .map(([Name, FunctionVersion]) => ({ Name, FunctionVersion, AliasArn: `${definition.arn}:${Name}` }));
  const { items, marker } = paged(aliases, query);
  return { Aliases: items, ...marker };
}

function configurationOf(number: string, version: FunctionVersion): Record<string, unknown> {
  return {
    FunctionName: version.name,
    FunctionArn: `${version.arn}:${number}`,
    Version: number,
    Handler: version.handler,
    Timeout: version.timeoutSeconds,
    MemorySize: version.memoryMegabytes,
    LastModified: new Date(version.publishedAt).toISOString().replace('Z', '+0000'),
    ...(version.durable
      ? {
          DurableConfig: {
            ExecutionTimeout: version.durable.executionTimeoutSeconds,
            RetentionPeriodInDays: version.durable.retentionDays,
          },
        }
      : {}),
  };
}

function accountSettings(lambda: LambdaService): Record<string, unknown> {
  const functions = lambda.functions();
  const quota = lambda.concurrency.accountLimit() ?? DEFAULT_QUOTA;
  const reserved = functions.reduce((sum, { reservedConcurrency }) => sum + (reservedConcurrency ?? 0), 0);
  return {
    AccountLimit: { ConcurrentExecutions: quota, UnreservedConcurrentExecutions: quota - reserved },
    AccountUsage: { FunctionCount: functions.length },
  };
}

function paged<Item>(all: readonly Item[], query: URLSearchParams): { items: readonly Item[]; marker: object } {
  const from = Number(query.get('Marker') ?? 0);
  const items = all.slice(from, from + Number(query.get('MaxItems') || 50));
  const next = from + items.length;
  return { items, marker: next < all.length ? { NextMarker: String(next) } : {} };
}
