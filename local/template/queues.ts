import * as z from 'zod';
import type { Resource } from './intrinsics.ts';

const queueSchema = z.object({
  DelaySeconds: z.number().default(0),
  MessageRetentionPeriod: z.number().default(345_600),
});
const subscriptionSchema = z.object({ TopicArn: z.string(), Protocol: z.literal('sqs'), Endpoint: z.string() });
const mappingSchema = z.object({
  EventSourceArn: z.string(),
  FunctionName: z.string(),
  Enabled: z.boolean().default(true),
});

/** A queue whose messages start functions. */
export type Queue = {
  readonly name: string;
  readonly arn: string;
  /** Topics whose messages it gets. */
  readonly topics: readonly string[];
  /** How long a message is kept back. */
  readonly delaySeconds: number;
  /** How long one stays, from when it was sent. */
  readonly retentionSeconds: number;
  /** Names or ARNs of the functions that take its messages. */
  readonly functions: readonly string[];
};

/** Collects the queues that a function takes messages from. */
export function readQueues(resources: readonly Resource[]): Queue[] {
  const mappings = resources
    .filter(({ type }) => type === 'AWS::Lambda::EventSourceMapping')
    .map(({ properties }) => mappingSchema.parse(properties))
    .filter(({ Enabled }) => Enabled);
  const subscriptions = resources
    .filter(({ type, properties }) => type === 'AWS::SNS::Subscription' && properties.Protocol === 'sqs')
    .map(({ properties }) => subscriptionSchema.parse(properties));
  return resources
    .filter(({ type }) => type === 'AWS::SQS::Queue')
    .flatMap(({ name, arn, properties }) => {
      const functions = mappings
        .filter(({ EventSourceArn }) => EventSourceArn === arn)
        .map((each) => each.FunctionName);
      const topics = subscriptions.filter(({ Endpoint }) => Endpoint === arn).map(({ TopicArn }) => TopicArn);
      const { DelaySeconds, MessageRetentionPeriod } = queueSchema.parse(properties);
      return functions.length === 0
        ? []
        : [{ name, arn, delaySeconds: DelaySeconds, retentionSeconds: MessageRetentionPeriod, functions, topics }];
    });
}
