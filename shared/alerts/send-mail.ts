import { type SESClient, SendEmailCommand } from '@aws-sdk/client-ses';
import type { RuntimeConfiguration } from '../configuration/runtime.ts';
import type { RenderedMail } from './render-mail.ts';

/**
 * Gives a mail to SES, for all who receive alerts.
 *
 * @param ses - without retries of its own
 * @returns SES's id of it
 * @throws the SDK's errors; some leave open whether SES has taken it
 */
export async function sendMail(
  ses: SESClient,
  { alert_emails, alert_sender }: Pick<RuntimeConfiguration, 'alert_emails' | 'alert_sender'>,
  { subject, text, html }: RenderedMail,
  { configurationSet, tags = {} }: { configurationSet?: string | undefined; tags?: Record<string, string> } = {},
): Promise<string | null> {
  const utf8 = (Data: string) => ({ Data, Charset: 'UTF-8' });
  const { MessageId = null } = await ses.send(
    new SendEmailCommand({
      Source: alert_sender ?? alert_emails[0],
      Destination: { ToAddresses: alert_emails },
      ConfigurationSetName: configurationSet,
      Tags: Object.entries(tags).map(([Name, Value]) => ({ Name, Value })),
      Message: { Subject: utf8(subject), Body: { Text: utf8(text), Html: utf8(html) } },
    }),
  );
  return MessageId;
}
