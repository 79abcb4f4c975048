/**
 * Ends of standard support by major version, the same on RDS ({@link SUPPORT_SOURCE}, "RDS end of standard support date") and on Aurora
 * (https://docs.aws.amazon.com/AmazonRDS/latest/AuroraPostgreSQLReleaseNotes/aurorapostgresql-release-calendar.html, "Aurora end of standard
 * support date"), as both said in August 2026. The API has them, too: `aws rds describe-db-major-engine-versions`.
 */
const ENDS: Readonly<Record<number, string>> = {
  11: '2024-02-29',
  12: '2025-02-28',
  13: '2026-02-28',
  14: '2027-02-28',
  15: '2028-02-29',
  16: '2029-02-28',
  17: '2030-02-28',
  18: '2031-02-28',
};

export const SUPPORT_SOURCE =
  'https://docs.aws.amazon.com/AmazonRDS/latest/PostgreSQLReleaseNotes/postgresql-release-calendar.html';

/** A major version to upgrade to: the newest that this system backs up and AWS has for both (on Aurora since February 2026). */
export const LATEST_SUPPORTED = 18;

/** When standard support of a major version ends: milliseconds since the epoch; null where that is not known. */
export function standardSupportEnds(major: number): number | null {
  const day = ENDS[major];
  return day === undefined ? null : Date.parse(`${day}T23:59:59Z`);
}
