import { Duration, Stack } from 'aws-cdk-lib';
import * as events from 'aws-cdk-lib/aws-events';
import * as targets from 'aws-cdk-lib/aws-events-targets';
import { Construct } from 'constructs';
import type { Deployment } from '../config/schema.ts';
import type { StorageStack } from '../stacks/storage.ts';
import { configurationLayer, layerPaths } from './layers.ts';
import { NodeFunction } from './node-function.ts';
import { logInToDatabases } from './permissions/logins.ts';
import { describeServers } from './permissions/protection.ts';
import { useState } from './permissions/state.ts';

export interface DoctorRunsProps {
  readonly deployment: Deployment;
  readonly buildFolder: string;
  readonly storage: StorageStack;
  /** A deployment of the stack is followed by a run. */
  readonly deployed: events.EventPattern;
}

/** The function that examines what works with the databases, and the rules that run it after each deployment and each day. */
export class DoctorRuns extends Construct {
  constructor(scope: Construct, id: string, { deployment, buildFolder, storage, deployed }: DoctorRunsProps) {
    super(scope, id);
    const { databases } = deployment;
    const { fn } = new NodeFunction(this, 'ExamineDatabases', {
      name: 'examine-databases',
      description: 'Examines what works with the databases and their logins',
      deployment,
      buildFolder,
      timeout: Duration.minutes(15),
      memoryMegabytes: 256,
      layers: [configurationLayer(this, buildFolder, deployment)],
      environment: { configurationPath: layerPaths.configuration, stateTable: storage.stateTable.tableName },
      statements: [
        ...useState(storage.stateTable, ['Get', 'Put']),
        ...describeServers(Stack.of(this), databases),
        ...logInToDatabases(Stack.of(this), databases),
      ],
      vpc: databases.find(({ vpc }) => vpc)?.vpc,
    });
    // The next run makes up for one that failed.
    fn.configureAsyncInvoke({ retryAttempts: 1, maxEventAge: Duration.hours(1) });
    const target = () => new targets.LambdaFunction(fn, { maxEventAge: Duration.hours(1) });
    new events.Rule(this, 'Daily', {
      description: 'What works with the databases',
      schedule: events.Schedule.rate(Duration.days(1)),
      targets: [target()],
    });
    new events.Rule(this, 'Deployed', {
      description: 'What works with the databases, as soon as this stack is deployed',
      eventPattern: deployed,
      targets: [target()],
    });
  }
}
