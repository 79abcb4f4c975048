import type { Stack } from 'aws-cdk-lib';
import type * as iam from 'aws-cdk-lib/aws-iam';
import type { Deployment } from '../../config/schema.ts';
import { allow } from './allow.ts';

/**
 * Sends mails from the one address of the alerts, which SES may have verified by itself, by its domain, or by a domain above that:
 * one that is verified covers its subdomains, and SES then asks for the right on the one that is verified.
 *
 * @param configurationSet - the one they are sent with, if there is one
 */
export function sendMails(
  stack: Stack,
  { alert_emails, alert_sender }: Deployment,
  configurationSet?: string,
): iam.PolicyStatement[] {
  const sender = alert_sender ?? alert_emails[0];
  if (alert_emails.length === 0 || sender === undefined) return [];
  const identities = identitiesOf(sender).map((resourceName) =>
    stack.formatArn({ service: 'ses', resource: 'identity', resourceName }),
  );
  const sets = configurationSet === undefined ? [] : [configurationSet];
  const resources = [
    ...identities,
    ...sets.map((resourceName) => stack.formatArn({ service: 'ses', resource: 'configuration-set', resourceName })),
  ];
  return [allow(['ses:SendEmail'], resources, { StringEquals: { 'ses:FromAddress': sender } })];
}

/** By which SES may know a sender: the address, its domain and each domain above. No top-level domain is anybody's own. */
function identitiesOf(sender: string): string[] {
  const labels = sender.slice(sender.lastIndexOf('@') + 1).split('.');
  const domains = labels.slice(0, -1).map((_, above) => labels.slice(above).join('.'));
  return [sender, ...domains];
}
