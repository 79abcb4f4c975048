import * as z from 'zod';
import type { RuntimeConfiguration } from '../configuration/runtime.ts';
import { newAlertId } from '../state/ids.ts';
import type { StateTable } from '../state/table.ts';
import { type NewAlert, openAlert, recordMail } from './alert-store.ts';
import { MAIL_TAG, mailOfTag, markReturned } from './mail-queue.ts';
import { mailAbout, mailSubject } from './news.ts';

const recipientsSchema = z.array(z.object({ emailAddress: z.string() }));

/** An event of SES about a mail that did not reach everybody, as it comes over EventBridge. */
const returnedSchema = z.object({
  source: z.literal('aws.ses'),
  time: z.iso.datetime(),
  detail: z.object({
    eventType: z.enum(['Bounce', 'Complaint', 'Reject']),
    mail: z.object({ tags: z.record(z.string(), z.array(z.string())).default({}) }),
    bounce: z
      .object({ bounceType: z.string(), bounceSubType: z.string(), bouncedRecipients: recipientsSchema })
      .optional(),
    complaint: z.object({ complainedRecipients: recipientsSchema }).optional(),
    reject: z.object({ reason: z.string() }).optional(),
  }),
});

type Returned = z.output<typeof returnedSchema>['detail'];

export interface ReturnedDependencies {
  table: StateTable;
  configuration: Pick<RuntimeConfiguration, 'alert_emails'>;
}

const CAUSE = 'mail:returned';

/**
 * Takes what SES says of a mail that came back, was reported as spam, or was refused into the mail, its alerts, and an alert of this
 * system, which waits to be seen in the list until somebody resolves it. SES tries a receiver that is out of reach for hours before
 * it says so, and leaves one that does not exist out from then on: nothing is sent again.
 *
 * @returns what is said of the mail; null for a mail that is not one of the alerts'
 */
export async function mailReturned(
  { table, configuration }: ReturnedDependencies,
  event: unknown,
): Promise<{ mail: string; error: string } | null> {
  const { time, detail } = returnedSchema.parse(event);
  const mail = await mailOfTag(table, detail.mail.tags[MAIL_TAG]?.[0]);
  if (!mail) return null;
  const error = explain(detail);
  const at = new Date(time);
  await markReturned(table, mail.id, error);
  for (const { alert_id } of mail.subjects) {
    await recordMail(table, alert_id, { status: 'returned', at: at.toISOString(), error });
  }
  const alert: NewAlert = {
    id: newAlertId(),
    database: null,
    cause: CAUSE,
    title: 'Mails about alerts do not arrive',
    level: 'ERROR',
    value: null,
    threshold: null,
    unit: 'None',
    what_to_do:
      'Correct alert_emails in the configuration, or take the address off the suppression list of SES, then resolve this alert.',
    detail: error,
  };
  const rules = { quiet_hours: null, time_zone: 'UTC' };
  const told = mailAbout(mailSubject(alert, 'opened', [], at.getTime()), rules, configuration, at.getTime());
  await openAlert(table, alert, told, at);
  return { mail: mail.id, error };
}

/** In words, without the addresses: of each its domain. */
function explain({ eventType, bounce, complaint, reject }: Returned): string {
  const recipients = bounce?.bouncedRecipients ?? complaint?.complainedRecipients ?? [];
  const domains = recipients.map(({ emailAddress }) => emailAddress.slice(emailAddress.lastIndexOf('@') + 1));
  const where = domains.length === 0 ? '' : ` by ${[...new Set(domains)].join(', ')}`;
  if (bounce) return `Returned${where}: ${bounce.bounceType}, ${bounce.bounceSubType}`;
  if (eventType === 'Complaint') return `Reported as spam${where}`;
  return `Refused by SES: ${reject?.reason ?? 'no reason given'}`;
}
