import type pg from 'pg';
import { OperationError } from '../../errors.ts';
import type { MaskingRules } from '../../masking/plan/plan-masking.ts';
import type { ConnectionTarget } from '../../postgres/connect.ts';
import { besideOf, lookBeside } from './beside/places.ts';
import type { PlannedRestore } from './check-server.ts';
import type { Finding } from './findings.ts';
import { type FunctionThatRuns, functionsThatRun } from './functions-that-run.ts';
import { avoidedDatabases, type PrepareDependencies, prepareRestore } from './prepare.ts';
import { prepareRows } from './rows/prepare-rows.ts';
import { openRowsSession } from './rows/session.ts';
import { openServerSession } from './server-session.ts';
import type { RestoreOptions } from './tailor.ts';
import { functionsOfTarget, joinFunctions } from './target-functions.ts';

/** The answer of a check that is made without restoring. */
export interface RestoreCheck {
  problems: Finding[];
  warnings: Finding[];
  /** What would be restored; null when the backup or the server could not be read. */
  restores: { tables: number; rows: number; bytes: number } | null;
  serverVersion: number | null;
  /** Functions of the backup, or of the database with the tables, that run with the rights of the login; null when they could not be read. */
  functions: FunctionThatRuns[] | null;
}

/** In place of a job's record: there is no job yet. */
const CHECKING = 'check';

/**
 * Checks a restore without beginning it. What keeps the check itself from being made, such as a server out of reach, is a
 * problem among the others.
 */
export async function checkRestore(
  asked: {
    database: string;
    backupId: string;
    options: RestoreOptions & { suffix?: string | undefined };
    planned: PlannedRestore;
  },
  dependencies: PrepareDependencies & {
    target: ConnectionTarget;
    /** The rules of a restore that masks; absent: it does not. */
    loadMasking?: (() => Promise<MaskingRules>) | undefined;
  },
): Promise<RestoreCheck> {
  const { planned } = asked;
  let client: pg.Client | undefined;
  try {
    const masking = await dependencies.loadMasking?.();
    const request = { ...asked, options: { ...asked.options, masking } };
    client =
      planned.mode === 'data'
        ? await openRowsSession({ target: dependencies.target, database: planned.targetDatabase, record: CHECKING })
        : await openServerSession(dependencies.target, avoidedDatabases(planned));
    const { checked, manifest, functions } =
      planned.mode === 'data'
        ? await checkRows(client, request, dependencies)
        : await prepareRestore(client, request, dependencies).then(({ checked, backup: { manifest, schema } }) => ({
            ...{ checked, manifest, functions: functionsThatRun(schema) },
          }));
    const isMissing = checked.problems.some(({ code }) => code === 'target_missing');
    if (planned.mode === 'beside' && !isMissing) {
      const beside = besideOf(request.options, CHECKING);
      const found = await lookBeside(dependencies.target, planned.targetDatabase, beside);
      checked.problems.push(...found.problems);
      functions.splice(0, functions.length, ...joinFunctions(functions, found.functions));
    }
    const { tables, rows, bytes } = manifest.totals;
    const { problems, warnings, version } = checked;
    return {
      problems,
      warnings,
      restores: { tables, rows, bytes },
      serverVersion: version,
      functions,
    };
  } catch (error) {
    if (!(error instanceof OperationError)) throw error;
    const { code, message, nextStep } = error;
    return {
      problems: [{ code, message, nextStep }],
      warnings: [],
      restores: null,
      serverVersion: null,
      functions: null,
    };
  } finally {
    await client?.end().catch(() => undefined);
  }
}

async function checkRows(
  client: pg.Client,
  request: Omit<Parameters<typeof prepareRows>[1], 'record'>,
  dependencies: PrepareDependencies,
) {
  const { checked, manifest, destinations, way } = await prepareRows(
    client,
    { ...request, record: null },
    dependencies,
  );
  const tables = destinations.map(({ into }) => into);
  const functions = await functionsOfTarget(client, tables, { typesAlone: false, firesTriggers: !way.replica });
  return { checked, manifest, functions };
}
