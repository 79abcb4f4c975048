import { Duration, Validations } from 'aws-cdk-lib';
import * as events from 'aws-cdk-lib/aws-events';
import * as targets from 'aws-cdk-lib/aws-events-targets';
import type * as iam from 'aws-cdk-lib/aws-iam';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as sns from 'aws-cdk-lib/aws-sns';
import * as subscriptions from 'aws-cdk-lib/aws-sns-subscriptions';
import * as sqs from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { roundsOfMinute, secondsBetweenSamples } from '../../shared/health/sampling-interval.ts';
import { allow } from './permissions/allow.ts';

const MINUTE = Duration.minutes(1);
/** What EventBridge takes, the sampler itself among them. */
const TARGETS_OF_RULE = 5;
/** What a round needs at least: a server that does not answer is given up after five seconds. */
const LEAST_SECONDS = 20;

/**
 * Starts the sampler as often as is configured: a rule each minute, by itself for the first sample and over a queue that keeps its
 * message back for each further one. So nobody pays for a function that sleeps; see docs/decisions/0066-a-sampler-that-does-not-sleep.md.
 */
export class SamplingRounds extends Construct {
  /** Ends before the next round begins where that is possible, so that two of them seldom work side by side. */
  readonly timeout: Duration;
  readonly #queues: readonly sqs.Queue[];

  constructor(scope: Construct, id: string, intervalSeconds: number) {
    super(scope, id);
    const between = Math.min(60, secondsBetweenSamples(intervalSeconds));
    this.timeout = Duration.seconds(Math.max(LEAST_SECONDS, between - 2));
    const [, ...further] = roundsOfMinute(intervalSeconds);
    this.#queues = further.map((seconds) => {
      const queue = new sqs.Queue(this, `After${seconds}`, {
        deliveryDelay: Duration.seconds(seconds),
        // A sample that was missed is not made up for, neither late nor when it failed: its message is gone by then.
        retentionPeriod: MINUTE,
        visibilityTimeout: MINUTE,
        encryption: sqs.QueueEncryption.SQS_MANAGED,
        enforceSSL: true,
      });
      Validations.of(queue).acknowledge({
        id: 'AwsSolutions-SQS3',
        reason: 'A sample that was missed is not made up for: an alarm hears of samples that do not arrive.',
      });
      return queue;
    });
  }

  /** Lets Lambda take the messages in the name of the sampler's role. */
  get statements(): iam.PolicyStatement[] {
    const arns = this.#queues.map(({ queueArn }) => queueArn);
    const actions = ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes'];
    return arns.length === 0 ? [] : [allow(actions, arns)];
  }

  start(sampler: lambda.Function): void {
    const atOnce = { retryAttempts: 0, maxEventAge: MINUTE };
    sampler.configureAsyncInvoke(atOnce);
    new events.Rule(this, 'EachMinute', {
      description: 'Samples of the databases',
      schedule: events.Schedule.rate(MINUTE),
      targets: [new targets.LambdaFunction(sampler, atOnce), ...this.targets(atOnce)],
    });
    for (const queue of this.#queues) {
      new lambda.EventSourceMapping(queue, 'Round', {
        target: sampler as lambda.IFunction,
        eventSourceArn: queue.queueArn,
        batchSize: 1,
        // The least that Lambda takes.
        maxConcurrency: 2,
      });
    }
  }

  /** The queues; over a topic where they are more than a rule takes. Another rule would not run at the same second. */
  private targets(atOnce: targets.TargetBaseProps): events.IRuleTarget[] {
    if (this.#queues.length < TARGETS_OF_RULE) return this.#queues.map((queue) => new targets.SqsQueue(queue, atOnce));
    const topic = new sns.Topic(this, 'Rounds', { enforceSSL: true });
    Validations.of(topic).acknowledge({
      id: 'AwsSolutions-SNS2',
      reason: 'Its messages hold the time of day; with a key of AWS, EventBridge could not publish them.',
    });
    for (const queue of this.#queues) {
      topic.addSubscription(new subscriptions.SqsSubscription(queue, { rawMessageDelivery: true }));
    }
    return [new targets.SnsTopic(topic, atOnce)];
  }
}
