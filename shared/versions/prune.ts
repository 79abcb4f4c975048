import { DeleteFunctionCommand, type LambdaClient, ResourceNotFoundException } from '@aws-sdk/client-lambda';
import { hasRunningExecution, listVersions } from './list-versions.ts';
import { keepingTime, prunableVersions, type VersionedFunction } from './prunable.ts';

/** In one run; what is left follows the next day. */
const MAX_DELETIONS = 200;

export interface PruneReport {
  /** By function, the versions that were deleted. */
  deleted: Record<string, string[]>;
  /** Old enough, but an execution of them runs. */
  in_use: Record<string, string[]>;
  /** Versions there are now. */
  left: number;
  /** What could not be read or deleted, and why. */
  failed: { function: string; version: string | null; message: string }[];
}

export interface PruneDependencies {
  client: LambdaClient;
  now: Date;
  signal: AbortSignal;
  maxDeletions?: number;
}

/**
 * Deletes the versions of functions to which no durable execution can be pinned any more. One function that cannot be read keeps
 * all others from being pruned: it might be the one that says how long they are needed.
 *
 * @throws the signal's reason when time is over
 */
export async function pruneVersions(names: readonly string[], dependencies: PruneDependencies): Promise<PruneReport> {
  const { client, now, signal, maxDeletions = MAX_DELETIONS } = dependencies;
  const report: PruneReport = { deleted: {}, in_use: {}, left: 0, failed: [] };
  const functions: VersionedFunction[] = [];
  for (const name of names) {
    try {
      functions.push(await listVersions(client, name, signal));
    } catch (error) {
      signal.throwIfAborted();
      report.failed.push({ function: name, version: null, message: messageOf(error) });
    }
  }
  report.left = functions.reduce((sum, { versions }) => sum + versions.length, 0);
  if (report.failed.length > 0) return report;
  const keepMs = keepingTime(functions);
  let deletions = 0;
  for (const each of functions) {
    for (const version of prunableVersions(each, keepMs, now)) {
      if (deletions === maxDeletions) return report;
      signal.throwIfAborted();
      try {
        const isDurable = each.versions.some((one) => one.version === version && one.durable !== null);
        if (isDurable && (await hasRunningExecution(client, each.name, version))) {
          add(report.in_use, each.name, version);
          continue;
        }
        await deleteVersion(client, each.name, version);
        add(report.deleted, each.name, version);
        deletions += 1;
        report.left -= 1;
      } catch (error) {
        signal.throwIfAborted();
        report.failed.push({ function: each.name, version, message: messageOf(error) });
      }
    }
  }
  return report;
}

async function deleteVersion(client: LambdaClient, name: string, version: string): Promise<void> {
  // Without a qualifier the call would delete the function itself.
  if (!/^\d+$/.test(version)) throw new Error(`${version} is no version`);
  await client.send(new DeleteFunctionCommand({ FunctionName: name, Qualifier: version })).catch((error: unknown) => {
    if (!(error instanceof ResourceNotFoundException)) throw error;
  });
}

function add(lists: Record<string, string[]>, name: string, version: string): void {
  lists[name] = [...(lists[name] ?? []), version];
}

const messageOf = (error: unknown): string =>
  error instanceof Error ? `${error.name}: ${error.message}` : String(error);
