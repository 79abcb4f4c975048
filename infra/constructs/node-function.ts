import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import { Duration, RemovalPolicy, Validations } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as logs from 'aws-cdk-lib/aws-logs';
import { DISABLE_ASSET_STAGING_CONTEXT } from 'aws-cdk-lib/cx-api';
import { Construct } from 'constructs';
import { type EnvironmentName, environmentNames } from '../../shared/configuration/environment.ts';
import type { Deployment } from '../config/schema.ts';
import { networkInterfaces } from './network-interfaces.ts';
import { anyVersionOf } from './permissions/versions.ts';

export interface NodeFunctionProps {
  /** Name of the file in `functions/`, without its ending. */
  readonly name: string;
  readonly description: string;
  readonly deployment: Deployment;
  /** Holds the bundles; see bundle.ts. */
  readonly buildFolder: string;
  readonly timeout: Duration;
  readonly memoryMegabytes: number;
  readonly environment?: Partial<Record<EnvironmentName, string>>;
  readonly layers?: readonly lambda.ILayerVersion[];
  /** What it may do, beyond writing its log and traces. */
  readonly statements?: readonly iam.PolicyStatement[];
  /** Makes it a durable function whose executions may take this long. */
  readonly durableFor?: Duration;
  /** Rows pass through it as buffers; see bufferMemory. Durable ones always do. */
  readonly passesRows?: boolean;
  /** Whether alarms and dashboards are about it; one that runs only when a stack is removed has none. Default true. */
  readonly isWatched?: boolean;
  /** Whether X-Ray traces it: true, but for functions that a timer starts often, whose traces nobody asks for and AWS bills. */
  readonly isTraced?: boolean;
  /** The network it runs in. */
  readonly vpc?: Deployment['databases'][number]['vpc'];
}

/** Key of CDK's context for an assembly that is used on this machine, while its bundles are where they were found. */
const BUNDLES_STAY = 'bundles-stay';

/** How long Lambda keeps the history of a durable execution; the job's own record stays in the State table. */
const HISTORY = Duration.days(14);

/**
 * For functions through which rows pass as buffers, whose memory lies outside V8's heap. The C library gives it back when it is
 * freed, in place of keeping it for the thread that had it: the peak is the same however long the function has been warm. And a
 * small young generation lets go of buffers soon and cheaply: by its own measure V8 would wait for 64 MB of them and then mark the
 * whole heap, which took a fifth of a restore's processor time.
 */
export const bufferMemory = { MALLOC_ARENA_MAX: '1', NODE_OPTIONS: '--max-semi-space-size=2' };

/**
 * A deployed function: bundled, on Node.js 24 and arm64, with a log group that forgets, traces, and a role with no managed
 * policy that may do just what is said.
 */
export class NodeFunction extends Construct {
  readonly fn: lambda.Function;
  readonly role: iam.Role;
  /** Its name once deployed, as text: another stack that watches it need not wait for it. */
  readonly deployedName: string;
  readonly logGroup: logs.LogGroup;
  /** Name of its log group once deployed. */
  readonly logGroupName: string;
  readonly timeout: Duration;
  readonly isDurable: boolean;
  readonly isWatched: boolean;
  /** By IAM's names, as `s3`: the services that it may call from within a VPC; none outside of one. */
  readonly services: ReadonlySet<string>;

  constructor(scope: Construct, id: string, props: NodeFunctionProps) {
    super(scope, id);
    const { name, deployment, vpc, durableFor, isTraced = true } = props;
    // The assembly then names the bundles where they are, in place of copying them.
    if (this.node.tryGetContext(BUNDLES_STAY)) this.node.setContext(DISABLE_ASSET_STAGING_CONTEXT, true);
    const reserved = deployment.concurrency.reserved[name];
    this.deployedName = `${deployment.prefix}-${name}`;
    this.logGroupName = `/aws/lambda/${this.deployedName}`;
    this.timeout = props.timeout;
    this.isDurable = durableFor !== undefined;
    this.isWatched = props.isWatched ?? true;
    const actions = (props.statements ?? []).flatMap((statement) => statement.actions);
    // A durable function reads and writes its steps through Lambda's API.
    const called = [...actions, ...(durableFor ? ['lambda:CheckpointDurableExecution'] : [])];
    this.services = new Set(vpc ? called.map((action) => action.split(':')[0] ?? action) : []);
    this.logGroup = new logs.LogGroup(this, 'Logs', {
      // Named, so that what reads it (see function-reports.ts) need not import it from another stack.
      logGroupName: this.logGroupName,
      retention: deployment.retention.log_days,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    this.role = new iam.Role(this, 'Role', {
      assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com'),
      description: `Role of the function ${deployment.prefix}-${name}`,
    });
    this.logGroup.grantWrite(this.role);
    for (const statement of [...(vpc ? networkInterfaces(this, vpc) : []), ...(props.statements ?? [])]) {
      this.role.addToPolicy(statement);
    }

    const network = vpc && {
      vpc: ec2.Vpc.fromVpcAttributes(this, 'Vpc', {
        vpcId: vpc.vpc_id,
        availabilityZones: vpc.availability_zones,
        privateSubnetIds: vpc.subnet_ids,
      }),
      vpcSubnets: { subnets: vpc.subnet_ids.map((subnet) => ec2.Subnet.fromSubnetId(this, subnet, subnet)) },
      securityGroups: vpc.security_group_ids.map((group) =>
        ec2.SecurityGroup.fromSecurityGroupId(this, group, group, { mutable: false }),
      ),
    };
    this.fn = new lambda.Function(this, 'Function', {
      functionName: this.deployedName,
      description: props.description,
      code: lambda.Code.fromAsset(realpathSync(join(props.buildFolder, 'functions', name))),
      handler: 'index.handler',
      runtime: lambda.Runtime.NODEJS_24_X,
      architecture: lambda.Architecture.ARM_64,
      timeout: props.timeout,
      memorySize: props.memoryMegabytes,
      // Without write access to its own policy, CDK adds no managed policies and no statements of its own choice.
      role: this.role.withoutPolicyUpdates(),
      logGroup: this.logGroup,
      loggingFormat: lambda.LoggingFormat.JSON,
      tracing: isTraced ? lambda.Tracing.ACTIVE : lambda.Tracing.DISABLED,
      environment: {
        ...environmentOf(props.environment ?? {}),
        ...(durableFor || props.passesRows ? bufferMemory : {}),
      },
      layers: [...(props.layers ?? [])],
      ...(reserved === undefined ? {} : { reservedConcurrentExecutions: reserved }),
      // Executions go on with the version that they began with, for as long as they take; see version-pruning.ts. But what a failed
      // deployment published goes with it: Lambda would not publish the same again, and the next try would fail.
      currentVersionOptions: { removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE },
      ...(durableFor ? { durableConfig: { executionTimeout: durableFor, retentionPeriod: HISTORY } } : {}),
      ...network,
    });
    if (isTraced) this.role.addToPolicy(traces());
    Validations.of(this).acknowledge({
      id: 'AwsSolutions-IAM5[Resource::*]',
      reason: 'See traces, networkInterfaces and readFreeStorage.',
    });
    if (durableFor) this.allowDurableExecution();
    // The policy must stand before the function: a VPC function is refused without its network rights.
    this.fn.node.addDependency(this.role);
  }

  /** A policy of its own, because it names the function, which the role's own policy must precede. */
  private allowDurableExecution(): void {
    new iam.Policy(this, 'DurableExecution', {
      roles: [this.role],
      statements: [
        new iam.PolicyStatement({
          actions: ['lambda:CheckpointDurableExecution', 'lambda:GetDurableExecutionState'],
          // The executions of each of its versions: `<arn>:<version>/durable-execution/<name>/<id>`.
          resources: [anyVersionOf(this, this.fn, 'The names of its executions are not known beforehand.')],
        }),
      ],
    });
    Validations.of(this.fn).acknowledge({
      id: 'Annotation::aws-lambda:Function.DurableConfig',
      reason: 'It is durable from its first deployment.',
    });
  }
}

/** X-Ray offers no resource-level permission for sending traces. */
function traces(): iam.PolicyStatement {
  return new iam.PolicyStatement({ actions: ['xray:PutTraceSegments', 'xray:PutTelemetryRecords'], resources: ['*'] });
}

function environmentOf(given: Partial<Record<EnvironmentName, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(given).map(([name, value]) => [environmentNames[name as EnvironmentName], value]),
  );
}
