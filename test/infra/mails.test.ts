import { App, Stack } from 'aws-cdk-lib';
import { expect, it } from 'vitest';
import { checkDeployment } from '../../infra/config/load.ts';
import { sendMails } from '../../infra/constructs/permissions/mails.ts';
import { plain } from './support/plain.ts';

const stack = new Stack(new App(), 'stack', { env: { region: 'eu-central-1', account: '123456789012' } });
const identitiesFor = (alert_sender: string) => {
  const deployment = checkDeployment({ ...plain, alert_sender, alert_emails: ['dba@example.org'] }, 'test');
  const [statement] = sendMails(stack, deployment);
  expect(statement?.conditions).toEqual({ StringEquals: { 'ses:FromAddress': alert_sender } });
  return statement?.resources.map((arn) => /:identity\/([^"]+)/.exec(JSON.stringify(stack.resolve(arn)))?.[1]);
};

it('lets mails be sent by the address, its domain and each domain above, of which SES may have verified any', () => {
  expect(identitiesFor('alerts@ops.eu.example.com')).toEqual([
    'alerts@ops.eu.example.com',
    'ops.eu.example.com',
    'eu.example.com',
    'example.com',
  ]);
  expect(identitiesFor('alerts@example.com')).toEqual(['alerts@example.com', 'example.com']);
});
