/** The metrics that this system sends to CloudWatch, and alarms watch. */
export const metricNames = {
  /** Seconds since the moment whose state the newest complete full backup of a database holds. */
  newestBackupAge: 'NewestBackupAge',
  /** The same of the newest one that a drill has restored. */
  newestProvenBackupAge: 'NewestProvenBackupAge',
} as const;

/** The dimension that names the configured database. */
export const databaseDimension = 'Database';

/** The namespace of a deployment's metrics: two deployments in one account are told apart by it. */
export function metricNamespace(prefix: string): string {
  return `DatabaseManagement/${prefix}`;
}
