import { Stack, type StackProps } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { VpcEndpoints, type VpcEndpointsProps } from '../constructs/vpc-endpoints.ts';

/** What the functions' network needs, where the deployment makes it. Apart, as all other stacks rely on it. */
export class NetworkStack extends Stack {
  constructor(scope: Construct, id: string, { vpc, services, ...props }: StackProps & VpcEndpointsProps) {
    super(scope, id, { ...props, description: 'VPC endpoints of the database management system' });
    new VpcEndpoints(this, 'Endpoints', { vpc, services });
  }
}
