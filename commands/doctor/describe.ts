import type { DoctorReport, FeatureStatus, Finding } from '../../shared/contract/schemas/doctor.ts';

const words: Record<FeatureStatus, string> = {
  works: 'works',
  works_with_limits: 'works with limits',
  does_not_work: 'DOES NOT WORK',
  unknown: 'unknown',
};
const width = Math.max(...Object.values(words).map(({ length }) => length)) + 2;

const where: Record<Finding['remediation'][number]['by'], string> = {
  sql: 'In the database',
  aws: 'With the AWS CLI',
  shell: 'On the server',
  api: 'In the request',
  configuration: 'In the configuration of the deployment',
};

/** Whether a feature that counts does not work, or is not known to. */
export function isBroken({ features }: DoctorReport, { all }: { all: boolean }): boolean {
  return features.some(({ in_use, status }) => (all || in_use) && (status === 'does_not_work' || status === 'unknown'));
}

/** A report as text: each feature on a line, then what was found, with what cures it. */
export function describeReport(report: DoctorReport): string {
  const { database, platform, server_version, login, features, findings, unread } = report;
  const title = [
    `${database}: ${platform}`,
    ...(server_version === null ? [] : [`PostgreSQL ${server_version}`]),
    ...(login === null ? [] : [`login ${login}`]),
  ].join(', ');
  const lines = [
    title,
    '',
    ...features.map(
      ({ status, title: feature, in_use, findings: found }) =>
        `  ${words[status].padEnd(width)}${feature}${in_use ? '' : ' (not in use)'}${found.length === 0 ? '' : `: ${found.join(', ')}`}`,
    ),
    ...findings.flatMap((finding) => ['', ...describeFinding(finding)]),
    ...unread.flatMap(({ checks, reason }) => ['', `Not known: ${checks.join(', ')}`, `  ${reason}`]),
  ];
  return printable(lines.join('\n'));
}

function describeFinding({ check, title, message, stops, limits, notes, remediation }: Finding): string[] {
  const effects = [
    ...(stops.length > 0 ? [`stops ${stops.join(', ')}`] : []),
    ...(limits.length > 0 ? [`limits ${limits.join(', ')}`] : []),
    ...(notes.length > 0 ? [`known limit of ${notes.join(', ')}`] : []),
  ];
  const lines = [`${title} [${check}; ${effects.join('; ')}]`, `  ${message}.`];
  let heading = '';
  for (const { by, statement, run_as } of remediation) {
    const next = `  ${where[by]}${run_as === null ? '' : `, as ${run_as}`}:`;
    if (next !== heading) lines.push(next);
    heading = next;
    lines.push(`    ${statement}`);
  }
  return lines;
}

/** What the server has named may hold what a terminal takes for commands. */
function printable(text: string): string {
  return text.replaceAll(/[^\P{Cc}\n]|\p{Cf}/gu, '�');
}
