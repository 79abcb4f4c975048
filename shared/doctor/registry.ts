import type { Feature } from '../contract/schemas/doctor.ts';
import type { AnyCheck } from './check.ts';
import { accessChecks } from './checks/access.ts';
import { connectionChecks } from './checks/connection.ts';
import { loggingChecks } from './checks/logging.ts';
import { recoveryChecks } from './checks/recovery.ts';
import { restoreChecks } from './checks/restore.ts';
import { rowChecks } from './checks/rows.ts';
import { statisticsChecks } from './checks/statistics.ts';
import { connectionCheck } from './connection-failure.ts';

/** Every check, in the order in which findings are reported. */
export const checks: readonly AnyCheck[] = [
  connectionCheck,
  ...connectionChecks,
  ...statisticsChecks,
  ...rowChecks,
  ...restoreChecks,
  ...recoveryChecks,
  ...accessChecks,
  ...loggingChecks,
];

/** The features that a check may stop or limit. */
export function featuresOf({ affects }: AnyCheck): readonly Feature[] {
  return [...(affects.stops ?? []), ...(affects.limits ?? [])];
}
