import type { DistributedSteps } from './attempts.ts';

/** Before each further try, in seconds: half an hour in all. Nothing was begun, so that none of them counts as a failure. */
const WAIT_SECONDS = [1, 2, 5, 10, 20, 30, 60, 120, 300, 300, 300, 300, 300];

/**
 * Has a function do something, and tries again with growing waits while the account has no concurrent execution left for it.
 *
 * @param again - told of each further try, which takes two durable operations more
 * @throws what `invoke` throws; a throttled invocation at last as well
 */
export async function invokeWhenFree(
  steps: Pick<DistributedSteps, 'invoke' | 'wait'>,
  name: string,
  functionArn: string,
  input: unknown,
  again: () => void,
): Promise<unknown> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await steps.invoke(attempt === 0 ? name : `${name}-again-${attempt}`, functionArn, input);
    } catch (error) {
      const seconds = WAIT_SECONDS[attempt];
      if (!isThrottled(error) || seconds === undefined) throw error;
      again();
      await steps.wait(`${name}-throttled-${attempt + 1}`, seconds);
    }
  }
}

/** Lambda names the cause in the type of the error, which the SDK of durable functions hands on, or wraps. */
export function isThrottled(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { errorType } = error as { errorType?: unknown };
  const says = [error.name, String(errorType ?? ''), error.message];
  return (
    says.some((text) => /TooManyRequests|Rate ?Exceeded|ThrottlingException/i.test(text)) || isThrottled(error.cause)
  );
}
