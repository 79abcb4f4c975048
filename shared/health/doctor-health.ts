import type { DoctorReport, Feature, Finding } from '../contract/schemas/doctor.ts';
import { featureTitle } from '../doctor/features.ts';
import { DAY_MS } from '../time.ts';
import type { MetricValues } from './metrics.ts';

/** A report that is older says nothing of now: three daily runs did not come. */
const KNOWN_MS = 3 * DAY_MS;
/** Of an alert's detail. */
const MAX_DETAIL = 1000;

/** What a report means to health. */
export interface DoctorHealth {
  values: Pick<MetricValues, 'failing_features' | 'limited_features'>;
  /** What is missing, in words, for the alert of each; null: nothing. */
  details: { failing: string | null; limited: string | null };
}

const unknownHealth: DoctorHealth = {
  values: { failing_features: null, limited_features: null },
  details: { failing: null, limited: null },
};

/**
 * Counts the features in use that do not work, and those that work with limits or of which nothing is known. What the documented login is
 * not meant to be able to do does not count. Unknown while nobody has looked.
 */
export function doctorHealth(report: DoctorReport | null, now = Date.now()): DoctorHealth {
  if (report === null || now - Date.parse(report.at) > KNOWN_MS) return unknownHealth;
  const used = report.features.filter(({ in_use }) => in_use);
  const failing = used.filter(({ status }) => status === 'does_not_work');
  const limited = used.filter(
    ({ feature, status }) =>
      status === 'unknown' ||
      (status === 'works_with_limits' && report.findings.some(({ limits }) => limits.includes(feature))),
  );
  return {
    values: { failing_features: failing.length, limited_features: limited.length },
    details: {
      failing: detailOf(failing, report, ({ stops }) => stops),
      limited: detailOf(limited, report, ({ limits }) => limits),
    },
  };
}

function detailOf(
  concerned: DoctorReport['features'],
  { findings, unread }: DoctorReport,
  affected: (finding: Finding) => readonly Feature[],
): string | null {
  if (concerned.length === 0) return null;
  const reasons = findings
    .filter((finding) => concerned.some(({ feature }) => affected(finding).includes(feature)))
    .map(({ title, remediation: [first] }) => (first ? `${title} (${first.statement})` : title));
  const unknown = concerned.some(({ status }) => status === 'unknown') ? unread.map(({ reason }) => reason) : [];
  const names = concerned.map(({ feature }) => featureTitle(feature)).join(', ');
  const text = `${names}: ${[...reasons, ...unknown].join('; ')}`;
  return text.length > MAX_DETAIL ? `${text.slice(0, MAX_DETAIL - 1)}…` : text;
}
