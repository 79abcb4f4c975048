import { Duration, Stack } from 'aws-cdk-lib';
import * as events from 'aws-cdk-lib/aws-events';
import * as targets from 'aws-cdk-lib/aws-events-targets';
import * as ses from 'aws-cdk-lib/aws-ses';
import { Construct } from 'constructs';
import type { NodeFunction } from './node-function.ts';

/** Name of the configuration set that the mails of a deployment are sent with. */
export const mailEvents = (prefix: string): string => `${prefix}-alerts`;

export interface ReturnedMailsProps {
  readonly configurationSet: string;
  /** Answers the events. */
  readonly answered: NodeFunction;
}

/** Has SES tell of mails that come back, are reported as spam or are refused, over EventBridge. */
export class ReturnedMails extends Construct {
  constructor(scope: Construct, id: string, { configurationSet, answered }: ReturnedMailsProps) {
    super(scope, id);
    const set = new ses.CfnConfigurationSet(this, 'Set', { name: configurationSet });
    const destination = new ses.CfnConfigurationSetEventDestination(this, 'Destination', {
      configurationSetName: configurationSet,
      eventDestination: {
        name: 'event-bus',
        enabled: true,
        matchingEventTypes: ['bounce', 'complaint', 'reject'],
        // SES sends to the default bus alone.
        eventBridgeDestination: {
          eventBusArn: Stack.of(this).formatArn({ service: 'events', resource: 'event-bus', resourceName: 'default' }),
        },
      },
    });
    destination.addResourceDependency(set);
    new events.Rule(this, 'Returned', {
      description: 'Mails about alerts that came back',
      eventPattern: {
        source: ['aws.ses'],
        detail: { mail: { tags: { 'ses:configuration-set': [configurationSet] } } },
      },
      targets: [new targets.LambdaFunction(answered.fn, { maxEventAge: Duration.hours(6) })],
    });
  }
}
