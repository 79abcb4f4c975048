import { AwsError } from '../errors.ts';
import { members } from '../query-service.ts';
import type { Described } from './state.ts';

/** "Certificate authorities" in the Amazon RDS User Guide. */
const AUTHORITIES = ['rds-ca-rsa2048-g1', 'rds-ca-rsa4096-g1', 'rds-ca-ecc384-g1'];
/** "Publishing PostgreSQL logs to Amazon CloudWatch Logs" in the guides of both. */
const LOGS: Readonly<Record<'postgres' | 'aurora-postgresql', readonly string[]>> = {
  postgres: ['postgresql', 'upgrade', 'iam-db-auth-error'],
  'aurora-postgresql': ['postgresql', 'instance', 'iam-db-auth-error'],
};
/** The release calendars of both. */
const MAJOR_VERSIONS = { from: 11, to: 18 };

/**
 * Refuses values that AWS does not take for an instance or a cluster.
 *
 * @throws AwsError
 */
export function checkValues(form: URLSearchParams, { Engine = 'postgres' }: Described): void {
  const engine = Engine === 'aurora-postgresql' ? 'aurora-postgresql' : 'postgres';
  const authority = form.get('CACertificateIdentifier');
  if (authority !== null && !AUTHORITIES.includes(authority))
    throw new AwsError('CertificateNotFound', `Certificate not found: ${authority}`, 404);
  const days = form.get('BackupRetentionPeriod');
  const least = engine === 'postgres' ? 0 : 1;
  if (days !== null && !(Number(days) >= least && Number(days) <= 35)) {
    throw new AwsError(
      'InvalidParameterValue',
      `Invalid backup retention period: ${days}. The retention period must be between ${least} and 35.`,
    );
  }
  for (const type of members(form, 'CloudwatchLogsExportConfiguration.EnableLogTypes')) {
    if (!LOGS[engine].includes(type)) {
      throw new AwsError(
        'InvalidParameterCombination',
        `You cannot use the log types '${type}' with engine version ${engine}.`,
      );
    }
  }
  const version = form.get('EngineVersion');
  const major = Number(/^(\d+)(?:\.\d+)?$/.exec(version ?? '')?.[1]);
  if (version !== null && !(major >= MAJOR_VERSIONS.from && major <= MAJOR_VERSIONS.to))
    throw new AwsError('InvalidParameterCombination', `Cannot find version ${version} for ${engine}`);
}
