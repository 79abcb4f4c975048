import type { Context } from 'aws-lambda';
import { dynamodbClient, lambdaClient, s3Client, secretsManagerClient } from '../shared/aws/clients.ts';
import { STREAM_REFUSED } from '../shared/changes/capture/line-source.ts';
import { setupPlaceOf } from '../shared/changes/setup/check-setup.ts';
import { readEnvironment } from '../shared/configuration/environment.ts';
import { findDatabase, loadConfiguration } from '../shared/configuration/load.ts';
import { createLogger } from '../shared/http/log.ts';
import { functionStarter, startBackup } from '../shared/jobs/start.ts';
import { openParser } from '../shared/postgres/parse-statements.ts';
import { connectionTarget } from '../shared/postgres/target.ts';
import { type CaptureReport, captureDatabase } from '../shared/recovery/capture-database.ts';
import { guardLimits } from '../shared/recovery/limits.ts';
import { proveWindow } from '../shared/recovery/prove-window.ts';
import { openAuditor } from '../shared/security/audit/open-auditor.ts';
import { recordDefinitions, recordUnauthenticated } from '../shared/security/audit/subjects.ts';
import { openTable } from '../shared/state/table.ts';

const environment = readEnvironment([
  'stateTable',
  'backupBucket',
  'backupKeyArn',
  'backupFunctionArn',
  'postgresToolsPath',
]);
const parse = openParser(environment.postgresToolsPath);
const configuration = loadConfiguration();
const table = openTable(dynamodbClient(), environment.stateTable);
const store = { s3: s3Client(), bucket: environment.backupBucket, keyArn: environment.backupKeyArn };
const auditor = openAuditor();
const startFunction = functionStarter(lambdaClient(), environment.backupFunctionArn);
const logger = createLogger('capture-changes');

/** Left of the invocation's time for what is under way when it is over. */
const CLOSING_TIME_MS = 10_000;
/** In all of a run: the next one takes what remains. What one transaction needs may be more. */
const READING_MS = 45_000;
/** The longest wait for transactions that are running when a slot is made. */
const WAIT_MS = 15_000;

/** Who asks for the full backups that a window begins with. */
const REQUESTED_BY = 'recovery';

async function startBase(database: string): Promise<void> {
  await startBackup(
    { table, startFunction },
    { database, requestedBy: REQUESTED_BY, backupType: 'full', customName: null },
  );
}

/** What a rehearsal that fails by itself says nothing of is rehearsed by the next run. */
async function rehearseDefinitions(database: string, signal: AbortSignal): Promise<void> {
  try {
    const target = connectionTarget(
      findDatabase(configuration, database),
      configuration.connections,
      { secretsManager: secretsManagerClient() },
      'dbms rehearsal',
    );
    const { postgresToolsPath } = environment;
    const result = await proveWindow(database, {
      target,
      store,
      table,
      configuration,
      parse,
      postgresToolsPath,
      signal,
    });
    if (result)
      logger[result.outcome === 'repeated' ? 'info' : 'warn']('Definitions rehearsed', { database, ...result });
  } catch (error) {
    logger.error('Definitions could not be rehearsed', { database, error });
  }
}

/**
 * Stores the changes of every database whose point-in-time recovery is on; a rule calls it each minute. Of two runs that meet, one has
 * a database's slot and the other goes on to the next database. One that fails does not hold up the others.
 *
 * @throws Error naming the databases that failed
 */
export async function handler(_event: unknown, context: Pick<Context, 'getRemainingTimeInMillis'>) {
  const signal = AbortSignal.timeout(Math.max(1, context.getRemainingTimeInMillis() - CLOSING_TIME_MS));
  const reports: Record<string, CaptureReport> = {};
  const failed: string[] = [];
  for (const database of configuration.databases) {
    const clients = { secretsManager: secretsManagerClient() };
    try {
      const report = await captureDatabase(database.id, {
        target: connectionTarget(database, configuration.connections, clients, 'dbms capture'),
        store,
        table,
        configuration,
        limits: guardLimits(configuration, database),
        place: setupPlaceOf(database),
        compressionLevel: configuration.backups.compression_level,
        timeMs: READING_MS / configuration.databases.length,
        waitMs: WAIT_MS,
        startBase,
        signal,
        onDefinitions: recordDefinitions(auditor, database.id),
        onUnauthenticated: recordUnauthenticated(auditor, database.id),
        onStreamRefused: (error) => logger.warn(STREAM_REFUSED, { database: database.id, error }),
      });
      reports[database.id] = report;
      const isTrouble = report.status === 'closed' || ('warning' in report && report.warning !== null);
      if (report.status !== 'off') {
        logger[isTrouble ? 'warn' : 'info']('Changes captured', { database: database.id, ...report });
      }
    } catch (error) {
      failed.push(database.id);
      logger.error('Changes could not be captured', { database: database.id, error });
    }
  }
  // Afterwards: a rehearsal takes seconds, and no database waits for that of another.
  for (const { id } of configuration.databases) {
    const report = reports[id];
    if (report?.status === 'captured' && report.caughtUp) await rehearseDefinitions(id, signal);
  }
  if (failed.length > 0) throw new Error(`Changes were not captured: ${failed.join(', ')}; the log says why`);
  return reports;
}
