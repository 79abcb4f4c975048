import { backupChecks } from './checks/backup.ts';
import type { CheckDefinition } from './checks/definition.ts';
import { forecastChecks } from './checks/forecast.ts';
import { replicationChecks } from './checks/replication.ts';
import { serverChecks } from './checks/server.ts';
import { setupChecks } from './checks/setup.ts';
import { storageChecks } from './checks/storage.ts';
import { workChecks } from './checks/work.ts';

/** Everything that is watched: a metric, from which value on it is bad and for how long, and what to do then. */
export const checks = {
  ...serverChecks,
  ...workChecks,
  ...replicationChecks,
  ...storageChecks,
  ...backupChecks,
  ...setupChecks,
  ...forecastChecks,
} as const satisfies Readonly<Record<string, CheckDefinition>>;

export type CheckName = keyof typeof checks;
export const checkNames = Object.keys(checks) as CheckName[];

export function checkOf(name: CheckName): CheckDefinition {
  return checks[name];
}

export function isCheckName(name: string): name is CheckName {
  return Object.hasOwn(checks, name);
}

/** What an alert of a check is about; see `cause` of an alert. */
export function causeOfCheck(name: CheckName): `check:${CheckName}` {
  return `check:${name}`;
}
