import { SESClient, SendEmailCommand, SendRawEmailCommand } from '@aws-sdk/client-ses';
import { beforeAll, expect, it } from 'vitest';
import { clientOptions, useServices } from './support.ts';

const services = useServices();
let client: SESClient;

beforeAll(() => {
  client = new SESClient(clientOptions(services.current.endpoints.ses));
});

const alarm = {
  Source: 'dbms@example.com',
  Destination: { ToAddresses: ['a@example.com', 'b@example.com'], CcAddresses: ['c@example.com'] },
  Message: {
    Subject: { Data: 'Disk <90 %> full' },
    Body: { Text: { Data: 'Größe: 90 %' }, Html: { Data: '<b>90 %</b>' } },
  },
};

it('keeps what was sent, with every recipient, also over a restart', async () => {
  const { MessageId } = await client.send(new SendEmailCommand(alarm));
  await client.send(
    new SendRawEmailCommand({
      RawMessage: { Data: Buffer.from('From: x@example.com\r\nTo: y@example.com\r\nSubject: raw\r\n\r\nbody') },
    }),
  );
  await services.restart();
  client = new SESClient(clientOptions(services.current.endpoints.ses));
  expect(services.current.emails()).toMatchObject([
    { from: 'x@example.com', to: ['y@example.com'], subject: 'raw' },
    {
      id: MessageId,
      to: ['a@example.com', 'b@example.com'],
      cc: ['c@example.com'],
      subject: 'Disk <90 %> full',
      text: 'Größe: 90 %',
      html: '<b>90 %</b>',
    },
  ]);
});

it('shows the mailbox as a list, as JSON, and each email by itself', async () => {
  const { mailboxUrl } = services.current;
  const page = await (await fetch(mailboxUrl)).text();
  expect(page).toContain('Disk &lt;90 %&gt; full');
  const emails = (await (await fetch(`${mailboxUrl}emails`)).json()) as { id: string }[];
  expect(emails).toHaveLength(2);
  expect([...page.matchAll(/href="\/(emails\/[^"]+)"/g)].map(([, path]) => path)).toEqual(
    emails.map(({ id }) => `emails/${id}`),
  );
  const [raw, alarm] = await Promise.all(
    emails.map(async ({ id }) => {
      const response = await fetch(`${mailboxUrl}emails/${id}`);
      expect(response.headers.get('content-security-policy')).toBe("default-src 'none'; style-src 'unsafe-inline'");
      return response.text();
    }),
  );
  expect(raw).not.toContain('<iframe');
  // Its HTML only within the frame, which runs none of it.
  expect(alarm).toContain('srcdoc="&lt;b&gt;90 %&lt;/b&gt;&lt;base target=&quot;_blank&quot;&gt;"');
  expect(alarm).toContain('<pre>Größe: 90 %</pre>');
  expect(alarm).not.toContain('<b>90 %</b>');
  expect((await fetch(`${mailboxUrl}emails/other`)).status).toBe(404);
});

it('refuses an email to nobody, and fails calls as told', async () => {
  await expect(client.send(new SendEmailCommand({ ...alarm, Destination: {} }))).rejects.toMatchObject({
    name: 'InvalidParameterValue',
  });
  await services.current.faults.set({
    service: 'ses',
    status: 400,
    code: 'MessageRejected',
    message: 'Email address is not verified.',
    times: 1,
  });
  await expect(client.send(new SendEmailCommand(alarm))).rejects.toMatchObject({
    name: 'MessageRejected',
    message: 'Email address is not verified.',
  });
});
