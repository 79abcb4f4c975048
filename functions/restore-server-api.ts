import { cloudwatchClient, dynamodbClient, kmsClient, s3Client, secretsManagerClient } from '../shared/aws/clients.ts';
import { checkRestore } from '../shared/backup/restore/check-restore.ts';
import { restoreOptionsOf } from '../shared/backup/restore/request-options.ts';
import { swapBack } from '../shared/backup/restore/swap-back.ts';
import { readEnvironment } from '../shared/configuration/environment.ts';
import { findDatabase, loadConfiguration } from '../shared/configuration/load.ts';
import type { Database } from '../shared/configuration/runtime.ts';
import { isLessTrusted } from '../shared/configuration/trust.ts';
import type { RecoveryTargetFields } from '../shared/contract/schemas/restore.ts';
import { OperationError } from '../shared/errors.ts';
import { createApiHandler } from '../shared/http/api-handler.ts';
import { createLogger } from '../shared/http/log.ts';
import { discardRestore } from '../shared/jobs/discard.ts';
import { restoreEventSchema } from '../shared/jobs/events.ts';
import { restoreTarget } from '../shared/jobs/restore-target.ts';
import { assertUnfinished } from '../shared/jobs/resume.ts';
import { assertRestorable } from '../shared/jobs/start.ts';
import { assertTargetAllowed, unmanagedTarget } from '../shared/jobs/unmanaged-target.ts';
import { platformOf } from '../shared/platforms/platforms.ts';
import { connectionTarget } from '../shared/postgres/target.ts';
import { countChangesSince, type Since } from '../shared/recovery/changed-since.ts';
import { replayCheck } from '../shared/recovery/check-replay.ts';
import { chooseBase } from '../shared/recovery/choose-base.ts';
import { splitMoment } from '../shared/recovery/moment.ts';
import { resolveRestore } from '../shared/recovery/resolve-restore.ts';
import { loadMaskingRules } from '../shared/security/masking/change-masking.ts';
import { findEvent } from '../shared/state/begin.ts';
import { createJobStore } from '../shared/state/jobs.ts';
import { openTable } from '../shared/state/table.ts';

const environment = readEnvironment(['stateTable', 'backupBucket', 'backupKeyArn', 'maskingKeyArn']);
const configuration = loadConfiguration();
const table = openTable(dynamodbClient(), environment.stateTable);
const jobs = createJobStore(table);
const logger = createLogger('restore-server-api');
const { maskingKeyArn: keyArn, backupKeyArn } = environment;
const maskingKey = { table, kms: kmsClient(), keyArn, backupKeyArn };
const store = { s3: s3Client(), bucket: environment.backupBucket, keyArn: environment.backupKeyArn };

/** A check ends before API Gateway gives up waiting. */
const CHECK_MS = 24_000;

/** Of that, for looking whether a moment can be reached. */
const PLANNING_MS = 12_000;

/** For counting what was changed since the moment, beside the check. */
const COUNTING_MS = 8_000;

/** What was changed since the moment, as the answer has it. One that cannot be counted keeps no restore. */
async function changedSince(since: Since | null, signal: AbortSignal) {
  if (since === null) return null;
  const deadline = performance.now() + COUNTING_MS;
  const { until, isWhole, tables, leftOut } = await countChangesSince(since, { store, signal, deadline });
  return { until, complete: isWhole, tables, tables_left_out: leftOut };
}

/** The backup that is restored, or the answer that the moment cannot be reached from any. */
async function baseOf(
  request: { database: string; backupId: string | undefined },
  recovery: RecoveryTargetFields | undefined,
  signal: AbortSignal,
) {
  if (!recovery) return { backupId: request.backupId ?? '', definers: [], withoutIdentity: [], since: null };
  try {
    return await chooseBase(request, recovery, { table, store, signal });
  } catch (error) {
    if (!(error instanceof OperationError)) throw error;
    const { code, message, nextStep } = error;
    return {
      problems: [{ code, message, next_step: nextStep }],
      warnings: [],
      restores: null,
      server_version: null,
      runs: null,
      changed_since: null,
    };
  }
}

/** Functions of the backup that are told, and what is told to use each. */
const MAX_FUNCTIONS = 200;
const MAX_USES = 20;

const targetOf = (server: Database, purpose: string) =>
  connectionTarget(server, configuration.connections, { secretsManager: secretsManagerClient() }, `dbms ${purpose}`);

/** The routes of restores that need the database server at once, and so the network that it is in. */
export const handler = createApiHandler('restore-server-api', {
  checkRestore: async ({ query, body, caller }) => {
    const target = restoreTarget(configuration, query, body);
    const { database, server, targetDatabase } = target;
    assertTargetAllowed(target, body, caller, configuration.databases);
    const unmanaged = unmanagedTarget(target, body);
    const signal = AbortSignal.timeout(CHECK_MS);
    const { recovery: named } = splitMoment(body);
    if (body.backup_id !== undefined) await assertRestorable(table, database, body.backup_id);
    const asked = { backupId: body.backup_id, recovery: named };
    const { backupId, recovery } = await resolveRestore(table, database, asked, body);
    const base = await baseOf({ database, backupId }, recovery, AbortSignal.timeout(PLANNING_MS));
    if ('problems' in base) return { status: 200, body: base };
    const {
      missingRoles,
      connections = configuration.backups.connections,
      ...options
    } = restoreOptionsOf(
      body,
      isLessTrusted(
        configuration.databases.find(({ id }) => id === database),
        server,
      ),
    );
    const counting = changedSince(base.since, signal).catch((error: unknown) => {
      logger.warn('Changes since the moment were not counted', { error });
      return null;
    });
    const found = await checkRestore(
      {
        database,
        backupId: base.backupId,
        options,
        planned: { mode: body.mode, targetDatabase, missingRoles, connections },
      },
      {
        target: targetOf(server, 'restore check'),
        store,
        readFreeSpace: () => platformOf(server).storage.readFree(server, cloudwatchClient()),
        signal,
        ...(recovery ? { checkReplay: replayCheck(base, options) } : {}),
        ...(body.masked ? { loadMasking: () => loadMaskingRules(maskingKey, database) } : {}),
      },
    );
    const written = ({ code, message, nextStep }: (typeof found.problems)[number]) => ({
      code,
      message,
      next_step: nextStep,
    });
    return {
      status: 200,
      body: {
        problems: [...found.problems, ...unmanaged.problems].map(written),
        warnings: [...found.warnings, ...unmanaged.warnings].map(written),
        restores: found.restores,
        server_version: found.serverVersion,
        changed_since: await counting,
        runs: found.functions && {
          total: found.functions.length,
          functions: found.functions
            .slice(0, MAX_FUNCTIONS)
            .map((each) => ({ ...each, used_by: each.used_by.slice(0, MAX_USES) })),
        },
      },
    };
  },
  discardRestore: async ({ params }) => {
    const job = await jobs.get(params.id);
    assertUnfinished(job);
    const server = findDatabase(configuration, job.environment ?? job.database);
    const event = restoreEventSchema.parse(await findEvent(table, job.id));
    await discardRestore(event, job.unfinished.database, { target: targetOf(server, `discard ${job.id}`), store });
    await jobs.forgetUnfinished(job.id);
    return { status: 200, body: await jobs.get(job.id) };
  },
  swapBackRestore: async ({ params }) => {
    const job = await jobs.get(params.id);
    const server = findDatabase(configuration, job.environment ?? job.database);
    await jobs.recordSwap(job.id, await swapBack(job, targetOf(server, `swap back ${job.id}`)));
    return { status: 200, body: await jobs.get(job.id) };
  },
});
