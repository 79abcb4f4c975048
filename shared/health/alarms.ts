import type { Thresholds } from '../configuration/runtime.ts';
import { type CheckName, checkNames, checkOf } from './checks.ts';
import { defaultCheck } from './effective-check.ts';
import { levelOrder } from './levels.ts';
import { type MetricName, metricOf } from './metrics.ts';
import { secondsBetweenSamples } from './sampling-interval.ts';

/** The alarm that is raised when the sampler itself no longer runs. */
export const NO_SAMPLES = 'no_samples';

/** A CloudWatch alarm on a published metric of one database. */
export interface DatabaseAlarm {
  /** A check, or {@link NO_SAMPLES}. */
  readonly what: CheckName | typeof NO_SAMPLES;
  readonly title: string;
  readonly metric: MetricName;
  readonly threshold: number;
  readonly comparison: 'GreaterThanOrEqualToThreshold' | 'LessThanThreshold';
  /** By CloudWatch's name. */
  readonly statistic: 'Maximum' | 'Minimum' | 'Sum';
  readonly periodSeconds: number;
  readonly periods: number;
  readonly missingData: 'breaching' | 'notBreaching';
}

const MINUTE = 60;
const MISSED_PERIODS = 3;
const BAD_PERIODS = 3;
/** Its alarm belongs to the drills, without which no backup is ever proven: infra/constructs/backup-ages.ts. */
export const WITH_DRILLS: CheckName = 'proven_backup_age';

/**
 * The alarms of a database: one for samples that do not arrive, or whose alerts cannot be opened; and, for those who want CloudWatch to
 * hold them as well, one for each check whose metric is published, at the worst level that the configuration gives it.
 */
export function databaseAlarms(configured: Thresholds, ofChecksToo: boolean): DatabaseAlarm[] {
  const interval = Math.max(MINUTE, secondsBetweenSamples(configured.health_check_interval_seconds));
  const noSamples: DatabaseAlarm = {
    what: NO_SAMPLES,
    title: 'No samples arrive',
    metric: 'samples_taken',
    threshold: 1,
    comparison: 'LessThanThreshold',
    statistic: 'Sum',
    periodSeconds: interval,
    periods: MISSED_PERIODS,
    missingData: 'breaching',
  };
  if (!ofChecksToo) return [noSamples];
  const ofChecks = checkNames.flatMap((what): DatabaseAlarm[] => {
    const { title, metric, bad } = checkOf(what);
    const { levels } = defaultCheck(what, configured);
    const threshold = levelOrder.flatMap((level) => levels[level] ?? []).at(-1);
    if (metricOf(metric).publishedAs === undefined || threshold === undefined || what === WITH_DRILLS) return [];
    return [
      {
        what,
        title,
        metric,
        threshold,
        comparison: bad === 'below' ? 'LessThanThreshold' : 'GreaterThanOrEqualToThreshold',
        statistic: bad === 'below' ? 'Minimum' : 'Maximum',
        periodSeconds: interval,
        periods: BAD_PERIODS,
        missingData: 'notBreaching',
      },
    ];
  });
  return [noSamples, ...ofChecks];
}

const DATABASE_PART = 'database';

/** Name of a database's alarm, from which its alert is known; see {@link parseAlarmName}. */
export function databaseAlarmName(prefix: string, database: string, what: string): string {
  return [prefix, DATABASE_PART, database, what].join('/');
}

/** The database and what an alarm of that name is about; null for an alarm about this system itself. */
export function parseAlarmName(name: string): { database: string; what: string } | null {
  const [, part, database, what] = name.split('/');
  return part === DATABASE_PART && database !== undefined && what !== undefined ? { database, what } : null;
}
