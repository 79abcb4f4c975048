import { App, Stack, type StackProps, Tags, Validations } from 'aws-cdk-lib';
import * as logs from 'aws-cdk-lib/aws-logs';
import { AwsSolutionsChecks } from 'cdk-nag';
import { ConfigurationError } from './config/load.ts';
import type { Deployment } from './config/schema.ts';
import { bundleFunctions } from './constructs/bundle.ts';
import { NodeFunction } from './constructs/node-function.ts';
import { assertStacksFit } from './constructs/stack-limits.ts';
import { ApiStack } from './stacks/api.ts';
import { BackupsStack } from './stacks/backups.ts';
import { CopiesStack } from './stacks/copies.ts';
import { MonitoringStack } from './stacks/monitoring.ts';
import { NetworkStack } from './stacks/network.ts';
import { ReplicaKeyStack } from './stacks/replica-key.ts';
import { StorageStack } from './stacks/storage.ts';

export interface AppOptions {
  /** Receives the bundles and layers before they become assets; not needed after synthesis. */
  readonly buildFolder: string;
  /** Receives the cloud assembly. */
  readonly outdir: string;
}

/** CDK's newer ways that this app relies on; they are set here, as the app is run without CDK's command line too. */
const featureFlags = {
  '@aws-cdk/aws-iam:minimizePolicies': true,
  '@aws-cdk/aws-s3:serverAccessLogsUseBucketPolicy': true,
  '@aws-cdk/aws-lambda:recognizeLayerVersion': true,
};

/** The endpoints of the functions' VPC, where the configuration asks for them, before all functions. */
function addNetwork(
  app: App,
  { deployment, ...props }: StackProps & { deployment: Deployment },
  functions: readonly NodeFunction[],
): void {
  const vpc = deployment.databases.find((database) => database.vpc)?.vpc;
  if (vpc?.endpoints === undefined) return;
  const services = new Set(functions.flatMap((each) => [...each.services]));
  const network = new NetworkStack(app, `${deployment.prefix}-network`, {
    ...props,
    vpc: { ...vpc, endpoints: vpc.endpoints },
    services,
  });
  for (const stack of new Set(functions.map((each) => Stack.of(each)))) stack.addStackDependency(network);
}

/** Puts every log group of the deployment's region under its key. A key of this region encrypts nothing in another. */
function encryptLogs(app: App, { dataKey, region }: StorageStack): void {
  for (const group of app.node.findAll().filter((construct) => construct instanceof logs.CfnLogGroup)) {
    if (Stack.of(group).region === region) group.kmsKeyId = dataKey.keyArn;
  }
}

/** @throws ConfigurationError when concurrency is reserved for a function that there is not */
function assertReservedExist({ prefix, concurrency }: Deployment, functions: readonly NodeFunction[]): void {
  const names = functions.map(({ deployedName }) => deployedName.slice(prefix.length + 1)).sort();
  const unknown = Object.keys(concurrency.reserved).filter((name) => !names.includes(name));
  if (unknown.length === 0) return;
  throw new ConfigurationError(
    unknown.map((name) => `concurrency.reserved.${name}: is no function; use one of: ${names.join(', ')}`).join('\n'),
  );
}

/**
 * The whole app for one deployment. Synthesis needs no network, account or Docker; it fails when a resource breaks one of
 * AWS's rules for sound solutions (cdk-nag) without a reason given where the resource is made.
 *
 * @throws ConfigurationError when there are more databases than its stacks can hold
 */
export function createApp(deployment: Deployment, { buildFolder, outdir }: AppOptions): App {
  const app = new App({
    outdir,
    analyticsReporting: false,
    // Trees and traces are for CDK's own tools; without them two syntheses of the same sources give the same bytes.
    treeMetadata: false,
    context: featureFlags,
  });
  bundleFunctions(`${buildFolder}/functions`);
  const { prefix, region, account } = deployment;
  const props = {
    deployment,
    buildFolder,
    env: { ...(region === undefined ? {} : { region }), ...(account === undefined ? {} : { account }) },
    terminationProtection: deployment.deletion_protection,
  };
  const storage = new StorageStack(app, `${prefix}-storage`, props);
  if (deployment.copies) {
    const env = { ...props.env, region: deployment.copies.region };
    // S3 takes the rule that copies only when there is a bucket to copy to.
    storage.addStackDependency(new CopiesStack(app, `${prefix}-copies`, { ...props, env }));
    new ReplicaKeyStack(app, `${prefix}-replica-key`, { ...props, env, storage });
  }
  const backups = new BackupsStack(app, `${prefix}-backups`, { ...props, storage });
  new ApiStack(app, `${prefix}-api`, { ...props, storage, backups });
  const monitoring = new MonitoringStack(app, `${prefix}-monitoring`, { ...props, storage });
  const functions = app.node.findAll().filter((construct) => construct instanceof NodeFunction);
  monitoring.watch(
    deployment,
    functions.filter(({ isWatched }) => isWatched),
  );
  encryptLogs(app, storage);
  addNetwork(app, props, functions);
  assertReservedExist(deployment, functions);
  assertStacksFit(app, deployment);
  Tags.of(app).add('application', prefix);
  // CDK leaves out its own checks by the same setting.
  if (process.env.CDK_VALIDATION !== 'false') Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  return app;
}
