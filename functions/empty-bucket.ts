import type { Context } from 'aws-lambda';
import { answerRemoval, resourceEventSchema } from '../shared/aws/bucket-removal.ts';
import { s3Client } from '../shared/aws/clients.ts';
import { createLogger } from '../shared/http/log.ts';

const logger = createLogger('empty-bucket');

/** Before the end of the invocation: for the page that is being deleted, and the answer. */
const RESERVE_MS = 60_000;
const ANSWER_MS = 30_000;

/**
 * Empties a bucket for CloudFormation, which waits for an answer at an address of its own.
 *
 * @throws Error when the answer could not be sent: Lambda then invokes it again
 */
export async function handler(
  event: unknown,
  context: Pick<Context, 'getRemainingTimeInMillis' | 'logStreamName'>,
): Promise<void> {
  const asked = resourceEventSchema.parse(event);
  const time = AbortSignal.timeout(Math.max(0, context.getRemainingTimeInMillis() - RESERVE_MS));
  const { Status, Reason, emptied } = await answerRemoval(s3Client(), asked, time);
  logger[Status === 'SUCCESS' ? 'info' : 'warn'](Reason, { ...emptied });
  const { StackId, RequestId, LogicalResourceId, PhysicalResourceId, ResourceProperties } = asked;
  const body = {
    Status,
    Reason: `${Reason} (log stream ${context.logStreamName})`,
    StackId,
    RequestId,
    LogicalResourceId,
    PhysicalResourceId: PhysicalResourceId ?? ResourceProperties.BucketName,
  };
  const response = await fetch(asked.ResponseURL, {
    method: 'PUT',
    // The address is signed without a type.
    headers: { 'content-type': '' },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(ANSWER_MS),
  });
  if (!response.ok) throw new Error(`CloudFormation did not take the answer: ${response.status}`);
}
