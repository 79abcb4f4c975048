/** An endpoint of a VPC: by its service's name in `com.amazonaws.<region>.<name>`. */
export interface EndpointOf {
  /** A gateway costs nothing and is a route; an interface is an address in a subnet, and is paid for by the hour. */
  readonly kind: 'gateway' | 'interface';
  /** What the endpoint's policy lets through. */
  readonly actions: readonly string[];
  /** What functions use it for. */
  readonly use: string;
}

/**
 * The services that functions in a VPC call, by their endpoints' names. Which of them a deployment needs follows from the rights of
 * its functions: see `NodeFunction.services`.
 */
export const vpcEndpoints = {
  s3: { kind: 'gateway', actions: ['s3:*'], use: 'backups, captured changes, downloads' },
  dynamodb: { kind: 'gateway', actions: ['dynamodb:*'], use: 'jobs, the catalog, samples, the audit trail' },
  kms: { kind: 'interface', actions: ['kms:*'], use: 'data keys of backups' },
  secretsmanager: { kind: 'interface', actions: ['secretsmanager:*'], use: 'logins of the databases' },
  lambda: { kind: 'interface', actions: ['lambda:*'], use: 'steps of jobs, functions that export together' },
  monitoring: { kind: 'interface', actions: ['cloudwatch:*'], use: "metrics, free storage of RDS (CloudWatch's API)" },
  rds: { kind: 'interface', actions: ['rds:*'], use: 'disk, writer and settings of managed databases' },
  email: { kind: 'interface', actions: ['ses:*'], use: "mails (SES's API; `email-smtp` is another one)" },
} as const satisfies Readonly<Record<string, EndpointOf>>;

export type EndpointName = keyof typeof vpcEndpoints;

export const endpointNames = Object.keys(vpcEndpoints) as [EndpointName, ...EndpointName[]];

/** Services by IAM's names that are called, or allowed, without a way out of the VPC, and why. */
export const withoutEndpoint: Readonly<Record<string, string>> = {
  'rds-db':
    'The right to log in with IAM: the token is made without a call, and the login goes to the database itself.',
  ec2: "Lambda makes the network interfaces, in the role's name.",
  logs: 'Lambda takes what a function prints.',
  xray: 'Lambda sends the traces.',
  sqs: 'Lambda itself hands over what it could not start.',
  iam: 'The right to pass a role on: no call.',
};

const byService = new Map(
  endpointNames.flatMap((name) => vpcEndpoints[name].actions.map((action) => [action.split(':')[0] ?? '', name])),
);

/** The endpoint for a service by IAM's name, as in `cloudwatch:GetMetricData`. @throws Error where it is not known whether one is needed */
export function endpointFor(service: string): EndpointName | null {
  const name = byService.get(service);
  if (name !== undefined) return name;
  if (service in withoutEndpoint) return null;
  throw new Error(`infra/constructs/vpc-services.ts does not say through which endpoint functions reach ${service}`);
}
