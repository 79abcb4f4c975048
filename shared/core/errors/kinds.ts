import { type ErrorCode, errorCatalogue } from './catalogue.ts';

type Kind = (typeof errorCatalogue)[ErrorCode] & { retry?: string; resumable?: true };

/** Whether a code is one of this version; stored ones may be of another. */
const isErrorCode = (code: unknown): code is ErrorCode =>
  typeof code === 'string' && Object.hasOwn(errorCatalogue, code);

/** A code that was stored, maybe by another version, or else the one that stands for it. */
export const knownCode = (code: string, otherwise: ErrorCode): ErrorCode => (isErrorCode(code) ? code : otherwise);

const kindOf = (code: string): Kind | undefined => (isErrorCode(code) ? errorCatalogue[code] : undefined);

/** HTTP status of an answer. */
export const statusOf = (code: ErrorCode): number => errorCatalogue[code].status;

/**
 * Whether trying again a little later may help.
 *
 * @param part - what is tried again: the whole work by default; something `within` a whole that goes on; a `piece` of it, alone
 */
export function isRetryable({ code }: { code: string }, part: 'whole' | 'within' | 'piece' = 'whole'): boolean {
  const retry = kindOf(code)?.retry;
  return retry === 'any' || (retry !== undefined && retry === part);
}

/** Whether work that was ended by it can go on from where it was. */
export const isResumable = ({ code }: { code: string }): boolean => kindOf(code)?.resumable === true;

const TRANSIENT_NAME =
  /^(?:Throttl\w*|\w*Throughput\w*Exceeded\w*|LimitExceeded\w*|RequestLimitExceeded|TooManyRequests\w*|KMSInternalException|DependencyTimeoutException|KeyUnavailableException|Internal(?:Failure|Server(?:Error|Exception)|Error)|ServiceUnavailable\w*|SlowDown|TimeoutError|RequestTimeout\w*)$/;

/** Whether AWS would serve the same call a little later, by the name of its error. */
export const isTransientName = (name: string): boolean => TRANSIENT_NAME.test(name);

/** Whether a service, or the time limit, is at fault, so that the same call may pass a little later. */
export function isTransientServiceError(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { name, $retryable, $metadata } = error as Error & {
    $retryable?: unknown;
    $metadata?: { httpStatusCode?: number };
  };
  return isTransientName(name) || $retryable !== undefined || ($metadata?.httpStatusCode ?? 0) >= 500;
}
