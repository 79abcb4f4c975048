import { Duration, Lazy, Stack, type StackProps } from 'aws-cdk-lib';
import * as events from 'aws-cdk-lib/aws-events';
import * as targets from 'aws-cdk-lib/aws-events-targets';
import type { Construct } from 'constructs';
import { DATABASE_PLACE, NO_LINK } from '../../shared/alerts/link.ts';
import { metricNamespace } from '../../shared/health/metrics.ts';
import type { Published } from '../../shared/health/publish.ts';
import type { Deployment } from '../config/schema.ts';
import { Dashboards, dashboardName } from '../constructs/dashboards.ts';
import { DatabaseAlarms } from '../constructs/database-alarms.ts';
import { DoctorRuns } from '../constructs/doctor-runs.ts';
import { FunctionAlarms } from '../constructs/function-alarms.ts';
import { FunctionReports } from '../constructs/function-reports.ts';
import { configurationLayer, layerPaths } from '../constructs/layers.ts';
import { NodeFunction } from '../constructs/node-function.ts';
import { logInToDatabases } from '../constructs/permissions/logins.ts';
import { sendMails } from '../constructs/permissions/mails.ts';
import { readMetrics } from '../constructs/permissions/metrics.ts';
import { describeServers } from '../constructs/permissions/protection.ts';
import { readSamples, readTroubledFunctions, useState } from '../constructs/permissions/state.ts';
import { mailEvents, ReturnedMails } from '../constructs/returned-mails.ts';
import { SamplingRounds } from '../constructs/sampling-rounds.ts';
import type { StorageStack } from './storage.ts';

export interface MonitoringStackProps extends StackProps {
  readonly deployment: Deployment;
  readonly buildFolder: string;
  readonly storage: StorageStack;
}

/** Known by it to the API, which asks for samples. */
export const SAMPLER_NAME = 'sample-health';

/** The function that watches the databases, what hears of alarms and of failing functions, the alarms, and the dashboards. */
export class MonitoringStack extends Stack {
  /** Hears of functions that fail. */
  readonly #receiver: NodeFunction;
  #watched: readonly NodeFunction[] = [];

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
        alertLink: deployment.cloudwatch.dashboards ? this.linkTemplate(prefix) : NO_LINK,
        mailEvents: mailEvents(prefix),
      },
    };
    // Known once all functions of the app are.
    const watchedFunctions = Lazy.string({ produce: () => this.#watched.map((one) => one.deployedName).join(',') });
    const rounds = new SamplingRounds(this, 'Sampling', deployment.thresholds.health_check_interval_seconds);
    const sampler = new NodeFunction(this, 'SampleHealth', {
      ...common,
      name: SAMPLER_NAME,
      environment: {
        ...common.environment,
        metricNamespace: metricNamespace(prefix),
        publishedMetrics: (deployment.cloudwatch.metrics ? 'all' : 'heartbeat') satisfies Published,
        watchedFunctions,
      },
      description: 'Samples the databases, opens alerts and mails them',
      timeout: rounds.timeout,
      isTraced: false,
      vpc: databases.find(({ vpc }) => vpc)?.vpc,
      statements: [
        ...useState(stateTable, ['Get', 'Put', 'Update', 'Delete', 'Query']),
        ...readSamples(stateTable),
        ...readTroubledFunctions(stateTable),
        readMetrics(),
        ...describeServers(this, databases),
        ...rounds.statements,
        ...sendMails(this, deployment, mailEvents(prefix)),
        ...logInToDatabases(this, databases),
      ],
    });
    rounds.start(sampler.fn);

    const deployed: events.EventPattern = {
      source: ['aws.cloudformation'],
      detailType: ['CloudFormation Stack Status Change'],
      detail: {
        'stack-id': [this.stackId],
        'status-details': { status: ['CREATE_COMPLETE', 'UPDATE_COMPLETE', 'UPDATE_ROLLBACK_COMPLETE'] },
      },
    };
    new events.Rule(this, 'Deployed', {
      description: 'A first sample as soon as this stack is deployed',
      eventPattern: deployed,
      targets: [new targets.LambdaFunction(sampler.fn, { retryAttempts: 0, maxEventAge: Duration.minutes(1) })],
    });

    new DoctorRuns(this, 'Doctor', { deployment, buildFolder, storage, deployed });

    const alarmChanged = new NodeFunction(this, 'AlarmChanged', {
      ...common,
      name: 'alarm-changed',
      environment: { ...common.environment, watchedFunctions },
      description: 'Takes alarms into the list of alerts and mails them',
      timeout: Duration.seconds(30),
      statements: [
        ...useState(stateTable, ['Get', 'Put', 'Update', 'Delete', 'Query']),
        readMetrics(),
        ...sendMails(this, deployment, mailEvents(prefix)),
      ],
    });
    this.#receiver = new NodeFunction(this, 'FunctionTroubled', {
      ...common,
      name: 'function-troubled',
      description: 'Takes functions that fail or take long into the list of alerts and mails them',
      timeout: Duration.seconds(30),
      statements: [
        ...useState(stateTable, ['Get', 'Put', 'Update', 'Query']),
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

  /** Watches all functions of the app, once they are known, and makes the alarms and dashboards. */
  watch(deployment: Deployment, functions: readonly NodeFunction[]): void {
    const { prefix, databases, cloudwatch } = deployment;
    this.#watched = functions;
    const alarms = new Map(
      databases.map(({ id }) => [id, new DatabaseAlarms(this, `alarms-${id}`, { deployment, database: id }).alarms]),
    );
    const receiver = this.#receiver;
    new FunctionReports(this, 'Reports', { prefix, watched: functions.filter((one) => one !== receiver), receiver });
    new FunctionAlarms(this, 'FunctionAlarms', { prefix, watched: receiver });
    if (!cloudwatch.dashboards) return;
    const names = functions.map(({ deployedName }) => deployedName);
    new Dashboards(this, 'Dashboards', { deployment, alarms, functions: names });
  }

  private linkTemplate(prefix: string): string {
    const console = `https://${this.region}.console.aws.amazon.com/cloudwatch/home?region=${this.region}`;
    return `${console}#dashboards/dashboard/${dashboardName(prefix, DATABASE_PLACE)}`;
  }
}
