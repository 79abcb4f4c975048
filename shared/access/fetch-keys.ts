import { SimpleFetcher } from 'aws-jwt-verify/https';

const TIMEOUT_MS = 3_000;
const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

type Fetcher = Pick<SimpleFetcher, 'fetch'>;

/**
 * Fetches an issuer's keys: over HTTPS, and over plain HTTP from this very machine alone, where nobody is in between.
 *
 * @throws Error for plain HTTP from anywhere else, for any status but 200, and after three seconds
 */
export function keyFetcher(
  secure: Fetcher = new SimpleFetcher({ defaultRequestOptions: { responseTimeout: TIMEOUT_MS } }),
): Fetcher {
  return {
    async fetch(uri, options, data) {
      const { protocol, hostname } = new URL(uri);
      if (protocol !== 'http:') return secure.fetch(uri, options, data);
      if (!LOOPBACK.test(hostname)) throw new Error(`The keys at ${uri} would come over plain HTTP; use HTTPS`);
      const answer = await fetch(uri, { redirect: 'error', signal: AbortSignal.timeout(TIMEOUT_MS) });
      if (!answer.ok) throw new Error(`No keys at ${uri}: status ${answer.status}`);
      return answer.arrayBuffer();
    },
  };
}
