import type { RDSClient } from '@aws-sdk/client-rds';
import type { Database } from '../configuration/runtime.ts';
import type { DoctorReport, Feature, FeatureStatus, Finding } from '../contract/schemas/doctor.ts';
import { OperationError } from '../errors.ts';
import { platformOf } from '../platforms/platforms.ts';
import type { ConnectionTarget } from '../postgres/connect.ts';
import type { Affects, AnyCheck, Context, Found } from './check.ts';
import { connectionCheck, explainRefusal } from './connection-failure.ts';
import type { Facts, Readings } from './facts/facts.ts';
import { features, featureTitle, isInUse, type Use } from './features.ts';
import { type ReadFacts, readFacts } from './read-facts.ts';
import { checks, featuresOf } from './registry.ts';

export interface ExamineDependencies extends Pick<Use, 'recovers'> {
  /** The server itself: `connectionTarget`. */
  target: ConnectionTarget;
  configuration: Context['configuration'];
  /** Asks AWS how it keeps the server; null where that is not to be asked. */
  rds: RDSClient | null;
  /** Ends the reading; what was not read by then is unknown. */
  signal: AbortSignal;
}

/** What the checks came to. */
export interface Examination {
  findings: Finding[];
  /** Checks that could not be made, with the reason. */
  unread: { check: AnyCheck; reason: string }[];
}

/**
 * Reads what the login of a database may do and what its server is, and says for each feature whether it works, and what cures it where
 * it does not. Changes nothing, and fails for nothing: what cannot be read is unknown.
 */
export async function examine(
  database: Database,
  dependencies: ExamineDependencies,
  now = Date.now(),
): Promise<DoctorReport> {
  const platform = platformOf(database);
  const { target, configuration, rds, signal, recovers } = dependencies;
  const server = rds === null ? null : await platform.endpoints.describe(rds, database, signal).catch(() => null);
  const context: Context = { database, platform, server, configuration, pooler: null, now };
  const read = await readFacts(target, platform.privileges, signal).catch((error: unknown) => error as Error);
  const examination =
    read instanceof Error ? await refused(read, target, context) : runChecks(read, { ...context, pooler: read.pooler });
  const known = read instanceof Error ? null : read.readings;
  return {
    database: database.id,
    at: new Date(now).toISOString(),
    platform: platform.title,
    server_version: (known && 'value' in known.server && known.server.value.version_text) || null,
    login: (known && 'value' in known.login && known.login.value.name) || null,
    ...describe(examination, { database, recovers }),
  };
}

/** Makes the checks; all of them, unless some are named. */
export function runChecks(
  { readings }: Pick<ReadFacts, 'readings'>,
  context: Context,
  wanted: readonly AnyCheck[] = checks,
): Examination {
  const findings: Finding[] = [];
  const unread: Examination['unread'] = [];
  for (const check of wanted) {
    const missing = check.reads.flatMap((name) => {
      const reading = readings[name];
      return 'why' in reading ? [reading.why] : [];
    });
    if (missing[0] !== undefined) {
      unread.push({ check, reason: missing[0] });
      continue;
    }
    const found = check.find(factsOf(readings), context);
    if (found) findings.push(findingOf(check, found));
  }
  return { findings, unread };
}

/** Only sections that were read are asked for; see `runChecks`. */
function factsOf(readings: Readings): Facts {
  return Object.fromEntries(
    Object.entries(readings).flatMap(([name, reading]) => ('value' in reading ? [[name, reading.value]] : [])),
  ) as unknown as Facts;
}

function findingOf({ id, title, affects }: AnyCheck, { message, remediation, affects: own }: Found): Finding {
  const { stops = [], limits = [], notes = [] }: Affects = own ?? affects;
  return { check: id, title, message, stops: [...stops], limits: [...limits], notes: [...notes], remediation };
}

/** Nobody could log in: either something is wrong that stays so, or the server is away and nothing is known. */
async function refused(error: Error, { credentials }: ConnectionTarget, context: Context): Promise<Examination> {
  const user = await credentials().then(
    (found) => found.user,
    () => null,
  );
  const explained = error instanceof OperationError ? explainRefusal(error, user, context) : null;
  // What is known without the server may be the cause.
  const { findings } = runChecks(
    { readings: {} as Readings },
    context,
    checks.filter(({ reads }) => reads.length === 0),
  );
  if (explained) return { findings: [findingOf(connectionCheck, explained), ...findings], unread: [] };
  return { findings, unread: checks.map((check) => ({ check, reason: error.message })) };
}

/** The worst first. */
const order: readonly FeatureStatus[] = ['does_not_work', 'unknown', 'works_with_limits', 'works'];

function describe(
  { findings, unread }: Examination,
  use: Use,
): Pick<DoctorReport, 'status' | 'features' | 'findings' | 'unread'> {
  const described = features.map((feature) => ({
    feature,
    title: featureTitle(feature),
    status: statusOf(feature, findings, unread),
    in_use: isInUse(feature, use),
    findings: findings
      .filter(({ stops, limits, notes }) => [...stops, ...limits, ...notes].includes(feature))
      .map(({ check }) => check),
  }));
  const reasons = new Map<string, string[]>();
  for (const { check, reason } of unread) reasons.set(reason, [...(reasons.get(reason) ?? []), check.id]);
  return {
    status:
      order.find((status) => described.some((each) => each.in_use && each.status === status)) ?? ('unknown' as const),
    features: described,
    findings,
    unread: [...reasons].map(([reason, names]) => ({ checks: names, reason })),
  };
}

function statusOf(feature: Feature, findings: readonly Finding[], unread: Examination['unread']): FeatureStatus {
  if (findings.some(({ stops }) => stops.includes(feature))) return 'does_not_work';
  if (unread.some(({ check }) => featuresOf(check).includes(feature))) return 'unknown';
  const isLimited = findings.some(({ limits, notes }) => limits.includes(feature) || notes.includes(feature));
  return isLimited ? 'works_with_limits' : 'works';
}
