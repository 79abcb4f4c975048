import type { SESClient } from '@aws-sdk/client-ses';
import type { RuntimeConfiguration } from '../configuration/runtime.ts';
import type { Alert } from '../contract/schemas/alert.ts';
import type { StateTable } from '../state/table.ts';
import { recordMail } from './alert-store.ts';
import { claimMail, MAIL_TAG, type Mail, settleMail, tagOf, unsettledMails } from './mail-queue.ts';
import { renderMail } from './render-mail.ts';
import { sendMail } from './send-mail.ts';

export interface MailDependencies {
  table: StateTable;
  /** Without retries of its own. */
  ses: SESClient;
  configuration: Pick<RuntimeConfiguration, 'alert_emails' | 'alert_sender'>;
  linkTo: (database: string | null) => string | null;
  /** SES's configuration set, whose events tell of mails that come back; without one, nobody hears of them. */
  configurationSet?: string | undefined;
}

/** Mails of one run; more wait for the next minute. */
const MOST_MAILS = 50;
const MOST_ATTEMPTS = 8;
/** Between two attempts: a minute, then twice as long each time. */
const FIRST_PAUSE_MS = 60_000;
/** A send that has not ended after this was cut off. */
const CUT_OFF_MS = 300_000;

/**
 * Sends the mails that wait. Each is sent at most once: what SES refuses is tried again, with growing pauses; what it may have
 * taken without saying so is not. What became of a mail is noted at its alert.
 *
 * @returns how many were sent, will be tried again, and were given up
 */
export async function deliverMails(
  dependencies: MailDependencies,
  now = () => Date.now(),
): Promise<{ sent: number; postponed: number; givenUp: number }> {
  const { table } = dependencies;
  const counts = { sent: 0, postponed: 0, givenUp: 0 };
  for (const mail of await unsettledMails(table, MOST_MAILS)) {
    if (mail.status === 'sending') {
      if (now() - (mail.sending_since ?? 0) > CUT_OFF_MS) {
        await settle(table, mail, { status: 'unknown', error: 'The function ended while it sent' }, now());
        counts.givenUp += 1;
      }
      continue;
    }
    if (mail.not_before > now() || !(await claimMail(table, mail, now()))) continue;
    const claimed = { ...mail, attempts: mail.attempts + 1 };
    const outcome = await send(dependencies, claimed, now);
    await settle(table, claimed, outcome, now());
    counts[outcome.status === 'sent' ? 'sent' : outcome.status === 'waiting' ? 'postponed' : 'givenUp'] += 1;
  }
  return counts;
}

type Outcome = Parameters<typeof settleMail>[3] & { status: Mail['status'] };

async function send(
  { ses, configuration, linkTo, configurationSet }: MailDependencies,
  mail: Mail,
  now: () => number,
): Promise<Outcome> {
  const rendered = renderMail(mail, linkTo);
  try {
    const tags = { [MAIL_TAG]: tagOf(mail) };
    const messageId = await sendMail(ses, configuration, rendered, { configurationSet, tags });
    return { status: 'sent', message_id: messageId, error: null };
  } catch (error) {
    const reason = `${(error as Error).name}: ${(error as Error).message}`;
    if (!wasRefused(error)) return { status: 'unknown', error: reason };
    if (mail.attempts >= MOST_ATTEMPTS) return { status: 'failed', error: reason };
    return { status: 'waiting', error: reason, not_before: now() + FIRST_PAUSE_MS * 2 ** (mail.attempts - 1) };
  }
}

/** Whether SES has certainly not taken a mail: it said so, or was never reached. */
function wasRefused(error: unknown): boolean {
  const { $metadata, code } = error as { $metadata?: { httpStatusCode?: number }; code?: string };
  return $metadata?.httpStatusCode !== undefined || ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN'].includes(code ?? '');
}

/** Mail states as an alert shows them. */
const shown: Record<Mail['status'], Alert['mail']['status']> = {
  waiting: 'waiting',
  sending: 'waiting',
  sent: 'sent',
  failed: 'failed',
  unknown: 'unknown',
  returned: 'returned',
};

async function settle(table: StateTable, mail: Mail, outcome: Outcome, now: number): Promise<void> {
  await settleMail(table, mail.id, mail.attempts, outcome);
  const noted = { status: shown[outcome.status], at: new Date(now).toISOString(), error: outcome.error ?? null };
  for (const { alert_id } of mail.subjects) await recordMail(table, alert_id, noted);
}
