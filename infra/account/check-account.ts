import { GetAccountSettingsCommand, type LambdaClient } from '@aws-sdk/client-lambda';
import { concurrencyBudget } from '../config/concurrency.ts';
import type { Deployment } from '../config/schema.ts';

/** The account cannot take the deployment, or could not be asked; the message says why, and what to do. */
export class AccountError extends Error {}

/** The code of Lambda's quota of concurrent executions in Service Quotas. */
const QUOTA_CODE = 'L-B99A9384';

/**
 * Compares what the configuration counts on with what the account has.
 *
 * @returns in words, what was found and what might be changed
 * @throws AccountError
 */
export async function checkAccount(deployment: Deployment, client: LambdaClient): Promise<string[]> {
  const { concurrency } = deployment;
  const region = await client.config.region();
  const { has, unreserved } = await readQuota(client, region);
  const { jobs, exports } = concurrencyBudget(concurrency);
  const raise = `aws service-quotas request-service-quota-increase --region ${region} --service-code lambda --quota-code ${QUOTA_CODE} --desired-value 1000`;
  if (has < concurrency.quota) {
    throw new AccountError(
      `The configuration counts on ${concurrency.quota} concurrent executions of functions, and the account has ${has} in ${region}.\n` +
        'Nothing was deployed.\n' +
        `Set concurrency.quota to ${has}, or ask AWS for more and deploy when it is granted:\n\n  ${raise}`,
    );
  }
  const own = Object.values(concurrency.reserved).reduce((sum, each) => sum + each, 0);
  const others = has - unreserved;
  const notes = [
    `Concurrent executions in ${region}: the account has ${has}, the configuration counts on ${concurrency.quota}: ${jobs} jobs at the same time, ${exports} workers of large backups, ${concurrency.kept_free} kept free for the API and the monitoring.`,
  ];
  if (others > own && has - others < concurrency.quota - own) {
    notes.push(
      `Warning: functions of this account have reserved ${others} concurrent executions, which leaves ${unreserved} for all others. Lower concurrency.quota accordingly if they are not this deployment's.`,
    );
  }
  if (has > concurrency.quota) {
    notes.push(
      `With concurrency.quota: ${has} more jobs run at the same time; leave out what other functions of the account need.`,
    );
  } else if (has <= 10) {
    notes.push(`This is the quota of a new account. Large backups are faster with more:\n\n  ${raise}\n`);
  }
  return notes;
}

async function readQuota(client: LambdaClient, region: string): Promise<{ has: number; unreserved: number }> {
  const answer = await client.send(new GetAccountSettingsCommand({})).catch((error: unknown) => {
    const { name, message } = error instanceof Error ? error : new Error(String(error));
    throw new AccountError(`${causeOf(name, message)}\nNothing was deployed.`, { cause: error });
  });
  const { ConcurrentExecutions: has, UnreservedConcurrentExecutions: unreserved } = answer.AccountLimit ?? {};
  if (has === undefined)
    throw new AccountError(`Lambda in ${region} did not return the account's quota of concurrent executions.`);
  return { has, unreserved: unreserved ?? has };
}

function causeOf(name: string, message: string): string {
  if (/Credentials|TokenProvider|SSO/i.test(name) || /credentials/i.test(message)) {
    return `There are no AWS credentials that can be used: ${message}.\nSign in first, such as with "aws sso login" and AWS_PROFILE, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.`;
  }
  if (/AccessDenied|UnrecognizedClient|InvalidClientTokenId|InvalidSignature|ExpiredToken/i.test(name)) {
    return `AWS refuses these credentials (${name}): ${message}\nWho deploys needs lambda:GetAccountSettings, and the right to assume the roles that "npx cdk bootstrap" made.`;
  }
  return `The account could not be asked for its quota of concurrent executions (${name}): ${message}`;
}
