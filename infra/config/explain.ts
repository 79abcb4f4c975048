import { isEverywhere } from './address-ranges.ts';
import type { Deployment } from './schema.ts';

/** What protects the API of this deployment, and what else there is: printed at synthesis, so that nobody has a default unknowingly. */
export function explainProtection({ api, identity, user_pool, allowed_address_ranges }: Deployment): string[] {
  const isOpen = isEverywhere(allowed_address_ranges);
  const firewall = {
    none: isOpen
      ? 'api.firewall is none, and allowed_address_ranges lets every address in: each request is answered by the API itself. Name your ' +
        'ranges, or set api.firewall to managed (about $8 a month).'
      : 'api.firewall is none: allowed_address_ranges alone decides which addresses reach the API.',
    managed: 'api.firewall is managed: AWS WAF refuses known attackers and addresses that send too much.',
  };
  const mfa = {
    required: 'user_pool.mfa is required: each user sets up an authenticator app when signing in for the first time.',
    optional:
      'user_pool.mfa is optional: a password alone opens the API. Set it to required unless a script must sign in.',
  };
  return [
    firewall[api.firewall as keyof typeof firewall] ??
      `api.firewall is ${api.firewall}: the rules of that web ACL decide.`,
    ...(identity ? [] : [mfa[user_pool.mfa]]),
  ];
}
