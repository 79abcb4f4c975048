import { randomUUID } from 'node:crypto';
import type { LambdaService } from '../lambda/service.ts';
import { region } from '../template/identities.ts';
import type { Queue } from '../template/queues.ts';

/** Queues between an event and a function, as far as this system uses them: a message that a function fails on is not given again. */
export type Queues = {
  /** Puts a message into a queue, or the queues of a topic; false when none of them starts a function. */
  readonly send: (arn: string, body: string) => boolean;
  /** Forgets what has not been delivered yet. */
  readonly close: () => void;
};

/** Messages that wait at a time; what comes beyond is dropped, and said. */
const MOST_WAITING = 1000;

export function openQueues(queues: readonly Queue[], lambda: LambdaService, note: (text: string) => void): Queues {
  const timers = new Set<NodeJS.Timeout>();

  async function deliver(queue: Queue, body: string, sentAt: number): Promise<void> {
    const messageId = randomUUID();
    const attributes = { ApproximateReceiveCount: '1', SentTimestamp: String(sentAt) };
    const eventSource = { eventSource: 'aws:sqs', eventSourceARN: queue.arn, awsRegion: region };
    const record = { messageId, receiptHandle: messageId, body, attributes, messageAttributes: {}, ...eventSource };
    for (const functionName of queue.functions) {
      const { outcome } = await lambda.invoke({ functionName, payload: JSON.stringify({ Records: [record] }) });
      if (!outcome.ok) note(`${functionName} failed on a message of ${queue.name}: ${outcome.error.errorMessage}`);
    }
  }

  function keepBack(queue: Queue, body: string): void {
    if (timers.size >= MOST_WAITING) {
      note(`A message to ${queue.name} was dropped: ${MOST_WAITING} wait already`);
      return;
    }
    const sentAt = Date.now();
    const timer = setTimeout(() => {
      timers.delete(timer);
      if (Date.now() - sentAt > queue.retentionSeconds * 1000) return;
      deliver(queue, body, sentAt).catch((error: unknown) =>
        note(`${queue.name}: ${error instanceof Error ? error.message : String(error)}`),
      );
    }, queue.delaySeconds * 1000);
    timers.add(timer);
  }

  return {
    send: (arn, body) => {
      const reached = queues.filter((each) => each.arn === arn || each.topics.includes(arn));
      for (const queue of reached) keepBack(queue, body);
      return reached.length > 0;
    },
    close: () => {
      for (const timer of timers) clearTimeout(timer);
      timers.clear();
    },
  };
}
