import type { Context } from 'aws-lambda';
import { lambdaClient } from '../shared/aws/clients.ts';
import { readEnvironment } from '../shared/configuration/environment.ts';
import { createLogger } from '../shared/http/log.ts';
import { openAuditor } from '../shared/security/audit/open-auditor.ts';
import { scheduledWork } from '../shared/security/audit/subjects.ts';
import { type PruneReport, pruneVersions } from '../shared/versions/prune.ts';

const environment = readEnvironment(['versionedFunctions']);
const auditor = openAuditor();
const logger = createLogger('prune-versions');

/** Left of the invocation's time for the record of what was done. */
const CLOSING_TIME_MS = 30_000;

/**
 * Deletes versions of functions that no execution can need any more; a rule calls it daily.
 *
 * @throws Error when a version could not be read or deleted; the next run tries again
 */
export async function handler(
  _event: unknown,
  context: Pick<Context, 'getRemainingTimeInMillis'>,
): Promise<PruneReport> {
  const signal = AbortSignal.timeout(Math.max(1, context.getRemainingTimeInMillis() - CLOSING_TIME_MS));
  const names = environment.versionedFunctions.split(',');
  const report = await auditor.audited(scheduledWork('pruneVersions', null), async (note) => {
    const pruned = await pruneVersions(names, { client: lambdaClient(), now: new Date(), signal });
    note.after = pruned;
    return pruned;
  });
  logger[report.failed.length > 0 ? 'error' : 'info']('Old versions of functions were pruned', { ...report });
  if (report.failed.length > 0)
    throw new Error('Some versions of functions were not pruned; the log says which and why');
  return report;
}
