/** The account and region that the local endpoints pretend to be; deployed names and ARNs carry them. */
export const localAccount = { region: 'us-east-1', accountId: '000000000000', partition: 'aws' } as const;

/** An ARN in the local account, e.g. `localArn('kms', 'key/1234')`. */
export function localArn(service: string, resource: string, region: string = localAccount.region): string {
  return `arn:${localAccount.partition}:${service}:${region}:${localAccount.accountId}:${resource}`;
}
