import { Stack } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import { Construct } from 'constructs';
import type { Deployment } from '../config/schema.ts';
import { type EndpointOf, endpointFor, vpcEndpoints } from './vpc-services.ts';

type Vpc = NonNullable<Deployment['databases'][number]['vpc']>;

export interface VpcEndpointsProps {
  readonly vpc: Vpc & { readonly endpoints: NonNullable<Vpc['endpoints']> };
  /** By IAM's names: what the functions in the VPC may call. */
  readonly services: ReadonlySet<string>;
}

const HTTPS = 443;

/**
 * The endpoints through which functions reach AWS from subnets without a way to the internet: one for each service that they may
 * call. Where there is one of a service already, `existing` names it: a VPC takes no second one with private DNS.
 */
export class VpcEndpoints extends Construct {
  constructor(scope: Construct, id: string, { vpc, services }: VpcEndpointsProps) {
    super(scope, id);
    const { route_table_ids, existing } = vpc.endpoints;
    const names = new Set([...services].flatMap((service) => endpointFor(service) ?? []));
    const missing = [...names].filter((name) => !existing.includes(name)).sort();
    const interfaces = missing.filter((name) => vpcEndpoints[name].kind === 'interface');
    const group = interfaces.length > 0 ? this.securityGroup(vpc) : undefined;
    for (const name of missing) {
      const { kind, actions } = vpcEndpoints[name] as EndpointOf;
      new ec2.CfnVPCEndpoint(this, name, {
        vpcId: vpc.vpc_id,
        policyDocument: ofThisAccount(this, actions),
        ...(kind === 'gateway'
          ? {
              vpcEndpointType: 'Gateway',
              serviceName: new ec2.GatewayVpcEndpointAwsService(name).name,
              routeTableIds: [...route_table_ids],
            }
          : {
              vpcEndpointType: 'Interface',
              serviceName: new ec2.InterfaceVpcEndpointAwsService(name).name,
              subnetIds: onePerZone(vpc),
              securityGroupIds: group ? [group.attrGroupId] : [],
              // So that the SDK finds it by the service's own name.
              privateDnsEnabled: true,
            }),
      });
    }
  }

  /** Lets the functions in, by their groups, and nobody else. */
  private securityGroup(vpc: Vpc): ec2.CfnSecurityGroup {
    return new ec2.CfnSecurityGroup(this, 'Group', {
      vpcId: vpc.vpc_id,
      groupDescription: 'Endpoints of AWS services: HTTPS from the functions that manage databases',
      securityGroupIngress: vpc.security_group_ids.map((sourceSecurityGroupId) => ({
        ipProtocol: 'tcp',
        fromPort: HTTPS,
        toPort: HTTPS,
        sourceSecurityGroupId,
        description: 'Functions that manage databases',
      })),
      // An endpoint answers and never asks. Without a rule of its own a group lets everything out.
      securityGroupEgress: [
        { ipProtocol: 'icmp', fromPort: 252, toPort: 86, cidrIp: '255.255.255.255/32', description: 'Nothing' },
      ],
    });
  }
}

/** An endpoint takes one subnet of each zone. */
function onePerZone({ subnet_ids, availability_zones, endpoints }: Vpc): string[] {
  const firsts = subnet_ids.filter((_, index) => availability_zones.indexOf(availability_zones[index] ?? '') === index);
  return firsts.slice(0, endpoints?.zones);
}

/** Through it nobody reaches a service with credentials of another account, which is how data is carried off. */
function ofThisAccount(scope: Construct, actions: readonly string[]): Record<string, unknown> {
  return {
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Allow',
        Principal: '*',
        Action: actions,
        Resource: '*',
        Condition: { StringEquals: { 'aws:PrincipalAccount': Stack.of(scope).account } },
      },
    ],
  };
}
