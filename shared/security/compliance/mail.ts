import type { SESClient } from '@aws-sdk/client-ses';
import { sendMail } from '../../alerts/send-mail.ts';
import type { RuntimeConfiguration } from '../../configuration/runtime.ts';
import type { Compliance } from '../../contract/schemas/compliance.ts';
import { asPage } from './html.ts';

/** Mails a report, where somebody receives alerts. @throws the SDK's errors */
export async function mailReport(
  report: Compliance,
  {
    ses,
    configuration,
  }: { ses: SESClient; configuration: Pick<RuntimeConfiguration, 'alert_emails' | 'alert_sender'> },
): Promise<void> {
  if (configuration.alert_emails.length === 0) return;
  const { database, at, score, counts, trend } = report;
  const before = trend[1];
  const change = before ? ` (${before.score.toFixed(1)} on ${before.at.slice(0, 10)})` : '';
  const failing = report.rules.filter(({ status }) => status === 'fail');
  const lines = [
    `Compliance of ${database}, ${at.slice(0, 10)}`,
    '',
    `Score: ${score.toFixed(1)} of 100${change}`,
    `${counts.pass} pass, ${counts.fail} fail, ${counts.unknown} unknown, ${counts.waived} waived`,
    '',
    ...failing.map(({ level, title, id, found }) => `[${level}] ${title} (${id}): ${found}`),
    '',
  ];
  const subject = `Compliance of ${database}: ${score.toFixed(1)} of 100, ${counts.fail} to mend`;
  await sendMail(ses, configuration, { subject, text: lines.join('\n'), html: asPage(report) });
}
