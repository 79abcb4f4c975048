import type * as iam from 'aws-cdk-lib/aws-iam';
import { metricNamespace } from '../../../shared/health/metrics.ts';
import { platformOf } from '../../../shared/platforms/platforms.ts';
import type { Deployment } from '../../config/schema.ts';
import { allow } from './allow.ts';

/** Reads CloudWatch's metrics, of managed databases and of functions. CloudWatch knows no resources. */
export function readMetrics(): iam.PolicyStatement {
  return allow(['cloudwatch:GetMetricData'], ['*']);
}

/** Asks CloudWatch for the free storage of RDS instances, where there are any; Aurora's grows by itself. */
export function readFreeStorage(databases: Deployment['databases']): iam.PolicyStatement[] {
  // CloudWatch has no resources for metrics, and knows no condition on a namespace where they are read.
  return databases.some((each) => platformOf(each).endpoints.reads(each).freeStorage)
    ? [allow(['cloudwatch:GetMetricData'], ['*'])]
    : [];
}

/** Sends the deployment's own metrics. CloudWatch has no resources for metrics; the namespace is the narrowest there is. */
export function publishMetrics(prefix: string): iam.PolicyStatement {
  const condition = { StringEquals: { 'cloudwatch:namespace': metricNamespace(prefix) } };
  return allow(['cloudwatch:PutMetricData'], ['*'], condition);
}
