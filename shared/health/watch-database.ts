import type { CloudWatchClient } from '@aws-sdk/client-cloudwatch';
import type { RDSClient } from '@aws-sdk/client-rds';
import type pg from 'pg';
import type { Database, RuntimeConfiguration } from '../configuration/runtime.ts';
import { readReport } from '../doctor/store.ts';
import { OperationError } from '../errors.ts';
import type { ServerDescription } from '../platforms/managed/describe.ts';
import { platformOf } from '../platforms/platforms.ts';
import { type ConnectionTarget, connect, poolerOf } from '../postgres/connect.ts';
import { RESUME_MS } from '../postgres/target.ts';
import type { StateTable } from '../state/table.ts';
import { readAges } from './ages.ts';
import { doctorHealth } from './doctor-health.ts';
import type { MetricValues } from './metrics.ts';
import { noteServer } from './noted-server.ts';
import { describeSuspension, isDue, otherSessionsSql, type Suspension, stillSuspended } from './pausing.ts';
import { addToPeriod, rollUpLevels } from './roll-ups.ts';
import { betweenReadings, type EarlierStatements } from './sample/between-readings.ts';
import { type DetailsOptions, noDetails, readDetails, readSessionGroups } from './sample/read-details.ts';
import { createParts, type Reading, takeReading } from './sample/take-reading.ts';
import {
  putRollUp,
  putSample,
  readRollUps,
  readWatch,
  type Sample,
  type WatchState,
  writeWatch,
} from './sample-store.ts';
import { trendsOf } from './trends.ts';

export interface WatchDependencies {
  table: StateTable;
  cloudwatch: CloudWatchClient;
  rds: RDSClient;
  database: Database;
  target: ConnectionTarget;
  configuration: Pick<RuntimeConfiguration, 'thresholds' | 'connections' | 'metrics_retention_hours'>;
  /**
   * How often is read what grows with the number of tables, and how much of a sample's time that may take. CloudWatch, the catalog of
   * backups and the trends are asked as often.
   */
  details?: Pick<DetailsOptions, 'everyMs' | 'budgetMs'>;
}

export interface Watcher {
  /**
   * Takes a sample and stores it. A database that cannot be reached gives one, too, which says so.
   *
   * @returns what is known now; null when another sampler has just taken one
   */
  sample(): Promise<WatchState | null>;
  /** Closes the connection. */
  close(): Promise<void>;
}

/** Bounds of the sampler's own queries: it must never be what a database suffers from. Milliseconds. */
const STATEMENT_TIMEOUT_MS = 5_000;
const LOCK_TIMEOUT_MS = 100;
const CONNECT_TIMEOUT_MS = 5_000;
/** A network without a way to the API must not hold up the samples. */
const DESCRIBE_MS = 4_000;
/** What grows with the number of tables: on a crowded server its parts are spread over some samples. */
const DETAILS = { everyMs: 300_000, budgetMs: 50 };
/** Over how long trends and usual values are sought. */
const TREND_MS = 8 * 86_400_000;

/**
 * Watches one database over one connection that is kept from sample to sample. Make it once per process: the times of statements,
 * from which response times follow, stay in its memory.
 */
export function createWatcher({
  table,
  cloudwatch,
  rds,
  database,
  target,
  configuration,
  details: detailsOptions = DETAILS,
}: WatchDependencies): Watcher {
  const platform = platformOf(database);
  const { thresholds, connections, metrics_retention_hours: retention } = configuration;
  const limits = {
    ...target.limits,
    connect_timeout_ms: Math.min(target.limits.connect_timeout_ms, CONNECT_TIMEOUT_MS),
  };
  let client: pg.Client | null = null;
  let statements: EarlierStatements | null = null;

  const close = async (): Promise<void> => {
    const closing = client;
    client = null;
    await closing?.end().catch(() => undefined);
  };
  const connected = async (): Promise<pg.Client> => {
    client ??= await connect(
      { ...target, limits },
      { kind: 'monitoring', statementTimeoutMs: STATEMENT_TIMEOUT_MS, lockTimeoutMs: LOCK_TIMEOUT_MS },
    );
    return client;
  };
  /** Works on the kept connection; when that turns out to be lost, once more on a new one. */
  const onConnection = async <Result>(work: (client: pg.Client) => Promise<Result>): Promise<Result> => {
    const kept = client !== null;
    try {
      return await work(await connected());
    } catch (error) {
      await close();
      if (!kept) throw error;
      try {
        return await work(await connected());
      } catch (again) {
        await close();
        throw again;
      }
    }
  };

  /** What is asked for rarely, beside what the database itself says. Each part may fail without the others. */
  const readSlowly = async (
    now: number,
    failures: Reading['failures'],
  ): Promise<Pick<WatchState, 'slow' | 'fits' | 'server' | 'doctor'>> => {
    const known = async <Result>(part: string, reading: Promise<Result>): Promise<Result | null> => {
      try {
        return await reading;
      } catch (error) {
        failures.push({ part, reason: (error as Error).message });
        return null;
      }
    };
    const readOutside = async (): Promise<{ server: ServerDescription | null; outside: MetricValues | null }> => {
      const signal = AbortSignal.timeout(DESCRIBE_MS);
      const server = await known('rds', platform.endpoints.describe(rds, database, signal));
      return { server, outside: await known('cloudwatch', platform.metrics.read(cloudwatch, database, server, now)) };
    };
    const [{ server, outside }, ages, report, periods] = await Promise.all([
      readOutside(),
      known('backups', readAges(table, database.id, now)),
      known('doctor', readReport(table, database.id)),
      known('trends', readRollUps(table, database.id, rollUpLevels[0].seconds, now - TREND_MS, now)),
    ]);
    const { values, fits } = trendsOf(periods ?? []);
    const doctor = doctorHealth(report, now);
    return {
      slow: { ...values, ...ages, ...outside, ...doctor.values },
      fits,
      server: noteServer(database, server),
      doctor: doctor.details,
    };
  };

  /** Whether the database is left alone in this round; null: it is sampled. What AWS does not answer leaves it as it is. */
  const suspension = async ({ suspended, server }: WatchState): Promise<Suspension | null> => {
    const pauseAfter = server?.capacity?.pauseAfterSeconds ?? null;
    if (!database.allow_pause || !suspended || pauseAfter === null || !server?.writer) return null;
    const now = Date.now();
    if (!isDue(suspended, now)) return suspended;
    const use = await platform.metrics.readUse(cloudwatch, server.writer, now).catch(() => undefined);
    if (use === undefined) return { ...suspended, askedAt: now };
    return use && stillSuspended(suspended, use, pauseAfter, now);
  };

  /** Whether the database can pause once it is left alone. */
  const mayPause = async (session: pg.Client, { server }: Pick<WatchState, 'server'>): Promise<boolean> => {
    if (!database.allow_pause || server?.capacity?.pauseAfterSeconds == null) return false;
    const { rows } = await session.query<{ others: number }>(otherSessionsSql);
    return rows[0]?.others === 0;
  };

  const poolLimit = connections.pool_size + connections.pool_overflow;
  const read = async (before: WatchState): Promise<WatchState> => {
    const now = Date.now();
    const storage = platform.storage.sizeForSql(database);
    const due = before.slow_at === null || now - before.slow_at >= detailsOptions.everyMs;
    const { reading, details, sessions, pooler, isAlone } = await onConnection(async (session) => ({
      isAlone: await mayPause(session, before),
      pooler: poolerOf(session),
      reading: await takeReading(session, { slowQuerySeconds: thresholds.slow_query_seconds, poolLimit }),
      details: await readDetails(session, before.details ?? noDetails, { ...detailsOptions, storageBytes: storage }),
      sessions: due ? await groupsOf(session) : before.sessions,
    }));
    const failures = [...reading.failures, ...details.failures];
    const { slow, fits, server, doctor } = due ? await readSlowly(now, failures) : before;
    failures.push(
      ...(server?.findings ?? []).map(({ message, nextStep }) => ({
        part: 'server',
        reason: `${message}. ${nextStep}`,
      })),
    );
    const between = betweenReadings(before.earlier, statements, reading);
    statements = { at: reading.at, statements: reading.statements };
    return {
      ...before,
      latest: { at: reading.at, values: { ...details.values, ...slow, ...reading.values, ...between } },
      earlier: { at: reading.at, counters: reading.counters },
      details,
      sessions,
      slots: reading.slots,
      slow,
      slow_at: due ? now : before.slow_at,
      fits,
      doctor,
      server,
      failures,
      unreachable: null,
      pooler,
      suspended: isAlone ? { since: reading.at, askedAt: reading.at, isPaused: false } : null,
      resumingSince: null,
    };
  };

  const keep = async (before: WatchState, now: WatchState): Promise<WatchState | null> => {
    const sample: Sample = now.latest ?? { at: Date.now(), values: {} };
    await putSample(table, database.id, sample, retention);
    const open = [];
    for (const [level, { seconds }] of rollUpLevels.entries()) {
      const period = addToPeriod(before.open[level] ?? null, sample.at, sample.values, seconds);
      if (period.closed) await putRollUp(table, database.id, seconds, period.closed, retention);
      open.push(period.open);
    }
    // What has been put before is put again, the same, should this write not come about.
    return writeWatch(table, database.id, { ...now, open });
  };

  return {
    async sample() {
      const before = await readWatch(table, database.id);
      const suspended = await suspension(before);
      if (suspended) return keep(before, leftAlone(before, suspended));
      const now = await read(before).catch((error: unknown) =>
        mayResume(database, before) ? resuming(before) : unreachable(before, error),
      );
      return keep(before, now);
    },
    close,
  };
}

async function groupsOf(client: pg.Client): Promise<WatchState['sessions']> {
  const { read } = createParts([]);
  return (await read('sessions', () => readSessionGroups(client))) ?? [];
}

/** A sample of a database that nobody has connected to, so that it can pause or resume. */
function leftAlone(before: WatchState, suspended: Suspension | null): WatchState {
  return {
    ...before,
    latest: { at: Date.now(), values: { samples_taken: 1 } },
    earlier: null,
    failures: suspended ? [{ part: 'pause', reason: describeSuspension(suspended) }] : [],
    unreachable: null,
    suspended,
  };
}

/** Whether a database that is not reached may be resuming, which takes longer than a sample waits: for a while it does not count as down. */
function mayResume({ allow_pause }: Database, { resumingSince, unreachable: down }: WatchState): boolean {
  if (!allow_pause || down !== null) return false;
  return resumingSince === null || Date.now() - resumingSince < RESUME_MS;
}

const resuming = (before: WatchState): WatchState => ({
  ...leftAlone(before, null),
  failures: [{ part: 'pause', reason: 'It does not answer yet: it may be resuming from a pause (allow_pause)' }],
  resumingSince: before.resumingSince ?? Date.now(),
});

/** A sample of a database that does not answer: that it was looked for, and why it was not reached. */
function unreachable(before: WatchState, error: unknown): WatchState {
  const known = error instanceof OperationError;
  return {
    ...before,
    latest: { at: Date.now(), values: { samples_taken: 1, up: 0 } },
    earlier: null,
    failures: [],
    unreachable: {
      code: known ? error.code : 'session_lost',
      message: error instanceof Error ? error.message : String(error),
      next_step: known ? error.nextStep : 'Look into the log of the server.',
    },
  };
}
