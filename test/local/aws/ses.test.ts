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

it('shows the mailbox as a page and as JSON', async () => {
  const page = await (await fetch(services.current.mailboxUrl)).text();
  expect(page).toContain('Disk &lt;90 %&gt; full');
  expect(page).not.toContain('<b>90 %</b>');
  expect(await (await fetch(`${services.current.mailboxUrl}emails`)).json()).toHaveLength(2);
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
