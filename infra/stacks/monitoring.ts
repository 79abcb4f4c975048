import { Duration, Stack, type StackProps } from 'aws-cdk-lib';
import * as events from 'aws-cdk-lib/aws-events';
import * as targets from 'aws-cdk-lib/aws-events-targets';
import type { Construct } from 'constructs';
import { DATABASE_PLACE } from '../../shared/alerts/link.ts';
import { metricNamespace } from '../../shared/health/metrics.ts';
import type { Deployment } from '../config/schema.ts';
import { Dashboards, dashboardName } from '../constructs/dashboards.ts';
import { DatabaseAlarms } from '../constructs/database-alarms.ts';
import { FunctionAlarms } from '../constructs/function-alarms.ts';
import { configurationLayer, layerPaths } from '../constructs/layers.ts';
import { NodeFunction } from '../constructs/node-function.ts';
import { logInToDatabases } from '../constructs/permissions/logins.ts';
import { sendMails } from '../constructs/permissions/mails.ts';
import { publishMetrics, readRdsMetrics } from '../constructs/permissions/metrics.ts';
import { readSamples, useState } from '../constructs/permissions/state.ts';
import { mailEvents, ReturnedMails } from '../constructs/returned-mails.ts';
import type { StorageStack } from './storage.ts';

export interface MonitoringStackProps extends StackProps {
  readonly deployment: Deployment;
  readonly buildFolder: string;
  readonly storage: StorageStack;
}

/** Known by it to the API, which asks for samples. */
export const SAMPLER_NAME = 'sample-health';

/** Within its minute, so that two of them never work side by side. */
const SAMPLER = Duration.seconds(58);

/** The function that watches the databases, what hears of alarms, the alarms, and the dashboards. */
export class MonitoringStack extends Stack {
  constructor(scope: Construct, id: string, { deployment, buildFolder, storage, ...props }: MonitoringStackProps) {
    super(scope, id, { ...props, description: 'Health, alerts and dashboards of PostgreSQL databases' });
    const { stateTable } = storage;
    const { prefix, databases } = deployment;
    const common = {
      deployment,
      buildFolder,
      memoryMegabytes: 256,
      layers: [configurationLayer(this, buildFolder, deployment)],
      environment: {
        configurationPath: layerPaths.configuration,
        stateTable: stateTable.tableName,
        alertLink: this.linkTemplate(prefix),
        mailEvents: mailEvents(prefix),
      },
    };
    const sampler = new NodeFunction(this, 'SampleHealth', {
      ...common,
      name: SAMPLER_NAME,
      environment: { ...common.environment, metricNamespace: metricNamespace(prefix) },
      description: 'Samples the databases, opens alerts and mails them',
      timeout: SAMPLER,
      vpc: databases.find(({ vpc }) => vpc)?.vpc,
      statements: [
        ...useState(stateTable, ['Get', 'Put', 'Update', 'Delete', 'Query']),
        ...readSamples(stateTable),
        publishMetrics(prefix),
        ...readRdsMetrics(databases),
        ...sendMails(this, deployment, mailEvents(prefix)),
        ...logInToDatabases(this, databases),
      ],
    });
    // A minute that was missed is not made up for: what counts is how the database is now.
    sampler.fn.configureAsyncInvoke({ retryAttempts: 0, maxEventAge: Duration.minutes(1) });
    new events.Rule(this, 'EachMinute', {
      description: 'Samples of the databases',
      schedule: events.Schedule.rate(Duration.minutes(1)),
      targets: [new targets.LambdaFunction(sampler.fn, { retryAttempts: 0, maxEventAge: Duration.minutes(1) })],
    });

    new events.Rule(this, 'Deployed', {
      description: 'A first sample as soon as this stack is deployed',
      eventPattern: {
        source: ['aws.cloudformation'],
        detailType: ['CloudFormation Stack Status Change'],
        detail: {
          'stack-id': [this.stackId],
          'status-details': { status: ['CREATE_COMPLETE', 'UPDATE_COMPLETE', 'UPDATE_ROLLBACK_COMPLETE'] },
        },
      },
      targets: [new targets.LambdaFunction(sampler.fn, { retryAttempts: 0, maxEventAge: Duration.minutes(1) })],
    });

    const alarmChanged = new NodeFunction(this, 'AlarmChanged', {
      ...common,
      name: 'alarm-changed',
      description: 'Takes alarms into the list of alerts and mails them',
      timeout: Duration.seconds(30),
      statements: [
        ...useState(stateTable, ['Get', 'Put', 'Update', 'Delete', 'Query']),
        ...sendMails(this, deployment, mailEvents(prefix)),
      ],
    });
    new events.Rule(this, 'AlarmsChange', {
      description: 'Alarms of this system that change their state',
      eventPattern: {
        source: ['aws.cloudwatch'],
        detailType: ['CloudWatch Alarm State Change'],
        // Alarms are named after the deployment, or after one of its stacks.
        detail: { alarmName: [`${prefix}/`, `${prefix}-`].map((beginning) => ({ prefix: beginning })) },
      },
      targets: [new targets.LambdaFunction(alarmChanged.fn, { maxEventAge: Duration.hours(6) })],
    });
    new ReturnedMails(this, 'ReturnedMails', {
      configurationSet: mailEvents(prefix),
      answered: new NodeFunction(this, 'MailReturned', {
        ...common,
        name: 'mail-returned',
        description: 'Takes mails that came back into the list of alerts',
        timeout: Duration.seconds(30),
        statements: useState(stateTable, ['Get', 'Put', 'Update']),
      }),
    });
  }

  /** Alarms and dashboards, once all functions of the app are known. */
  watch(deployment: Deployment, functions: readonly NodeFunction[]): void {
    const { prefix, databases } = deployment;
    const alarms = new Map(
      databases.map(({ id }) => [id, new DatabaseAlarms(this, `alarms-${id}`, { deployment, database: id }).alarms]),
    );
    for (const watched of functions) {
      new FunctionAlarms(this, `function-${watched.deployedName}`, { prefix, watched });
    }
    const names = functions.map(({ deployedName }) => deployedName);
    new Dashboards(this, 'Dashboards', { deployment, alarms, functions: names });
  }

  private linkTemplate(prefix: string): string {
    const console = `https://${this.region}.console.aws.amazon.com/cloudwatch/home?region=${this.region}`;
    return `${console}#dashboards/dashboard/${dashboardName(prefix, DATABASE_PLACE)}`;
  }
}
