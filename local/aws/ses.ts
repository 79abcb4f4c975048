import { randomUUID } from 'node:crypto';
import type { RequestListener } from 'node:http';
import { join } from 'node:path';
import type { Access } from '../iam/access.ts';
import type { AccessRequest } from '../iam/evaluate.ts';
import type { StateDisk } from '../state-disk.ts';
import { localArn } from './account.ts';
import { AwsError } from './errors.ts';
import type { FaultList } from './faults.ts';
import { showMailbox } from './mailbox-page.ts';
import { members, type QueryOperation, serveQuery } from './query-service.ts';
import { openStateFile } from './state-file.ts';

/** An email that was sent; nothing leaves the machine. */
export type Email = {
  id: string;
  /** ISO 8601. */
  sentAt: string;
  from: string;
  to: string[];
  cc: string[];
  bcc: string[];
  subject: string;
  text: string;
  html: string;
  /** The message as given to SendRawEmail; empty for SendEmail. */
  raw: string;
};

export type LocalSes = {
  /** Newest first. */
  emails(): Email[];
  listener(faults: FaultList, access: Access): RequestListener;
  close(): Promise<void>;
};

const keptEmails = 500;

/**
 * Amazon SES version 1 (SendEmail, SendRawEmail) with pages of what was sent; see {@link showMailbox}.
 */
export async function openSes(stateFolder: string, disk: StateDisk): Promise<LocalSes> {
  const file = await openStateFile<{ emails: Email[] }>(join(stateFolder, 'ses.json'), { emails: [] }, disk);
  const { emails } = file.value;

  async function keep(email: Omit<Email, 'id' | 'sentAt'>): Promise<string> {
    if (email.from === '') throw new AwsError('InvalidParameterValue', 'Missing source address');
    if (email.to.length + email.cc.length + email.bcc.length === 0)
      throw new AwsError('InvalidParameterValue', 'Missing destination address');
    const id = randomUUID();
    emails.unshift({ ...email, id, sentAt: new Date().toISOString() });
    emails.length = Math.min(emails.length, keptEmails);
    await file.save();
    return `<MessageId>${id}</MessageId>`;
  }

  const operations: Record<string, QueryOperation> = {
    SendEmail: (form) =>
      keep({
        from: form.get('Source') ?? '',
        to: members(form, 'Destination.ToAddresses'),
        cc: members(form, 'Destination.CcAddresses'),
        bcc: members(form, 'Destination.BccAddresses'),
        subject: form.get('Message.Subject.Data') ?? '',
        text: form.get('Message.Body.Text.Data') ?? '',
        html: form.get('Message.Body.Html.Data') ?? '',
        raw: '',
      }),
    SendRawEmail: (form) => {
      const raw = Buffer.from(form.get('RawMessage.Data') ?? '', 'base64').toString('utf8');
      const header = (name: string) =>
        new RegExp(`^${name}: *(.*)$`, 'im').exec(raw.split(/\r?\n\r?\n/, 1)[0] ?? '')?.[1]?.trim() ?? '';
      const destinations = members(form, 'Destinations');
      return keep({
        from: form.get('Source') || header('From'),
        to: destinations.length > 0 ? destinations : header('To').split(/ *, */).filter(Boolean),
        cc: [],
        bcc: [],
        subject: header('Subject'),
        text: '',
        html: '',
        raw,
      });
    },
    GetSendQuota: () =>
      `<Max24HourSend>50000</Max24HourSend><MaxSendRate>14</MaxSendRate><SentLast24Hours>${emails.length}</SentLast24Hours>`,
    VerifyEmailIdentity: () => '',
  };

  return {
    emails: () => [...emails],
    listener: (faults, access) =>
      serveQuery(
        {
          ...{ name: 'ses', title: 'SES', namespace: 'http://ses.amazonaws.com/doc/2010-12-01/', operations },
          requests,
          page: (request, response) => showMailbox(response, request.url ?? '/', emails),
        },
        faults,
        access,
      ),
    close: file.close,
  };
}

/** SES asks for the right on the identity that is verified, which here is the address itself, and on the configuration set. */
function requests(called: string, form: URLSearchParams): AccessRequest[] {
  const source = form.get('Source') ?? '';
  const set = form.get('ConfigurationSetName');
  const resources = [`identity/${source}`, ...(set === null ? [] : [`configuration-set/${set}`])];
  return resources.map((resource) => ({
    action: `ses:${called}`,
    resource: localArn('ses', resource),
    context: { 'ses:FromAddress': source },
  }));
}
