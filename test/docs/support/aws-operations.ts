import { optionsOf } from './commands.ts';

type Client = Record<string, unknown>;

/** The clients of the SDK by the name that AWS's command line has for their service. */
const clients: Readonly<Record<string, () => Promise<Client>>> = {
  cloudformation: () => import('@aws-sdk/client-cloudformation'),
  'cognito-idp': () => import('@aws-sdk/client-cognito-identity-provider'),
  dynamodb: () => import('@aws-sdk/client-dynamodb'),
  kms: () => import('@aws-sdk/client-kms'),
  lambda: () => import('@aws-sdk/client-lambda'),
  rds: () => import('@aws-sdk/client-rds'),
  s3api: () => import('@aws-sdk/client-s3'),
  secretsmanager: () => import('@aws-sdk/client-secrets-manager'),
  ses: () => import('@aws-sdk/client-ses'),
  sts: () => import('@aws-sdk/client-sts'),
};

/** `aws s3` is no service of its own but a set of programs. */
const s3Commands: Readonly<Record<string, readonly string[]>> = {
  ls: ['recursive'],
  cp: ['recursive', 'only-show-errors'],
  sync: ['delete', 'only-show-errors'],
  rm: ['recursive'],
};
/** Of a service whose client is a hundred times as large as what the documents use of it. */
const ec2Operations: Readonly<Record<string, readonly string[]>> = {
  'describe-route-tables': ['filters', 'route-table-ids'],
  'describe-subnets': ['filters', 'subnet-ids'],
  'describe-vpc-endpoints': ['filters', 'vpc-endpoint-ids'],
  'modify-vpc-attribute': ['vpc-id', 'enable-dns-support', 'enable-dns-hostnames'],
};
const listed: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  s3: s3Commands,
  ec2: ec2Operations,
  'service-quotas': { 'request-service-quota-increase': ['service-code', 'quota-code', 'desired-value'] },
};
const everywhere = ['region', 'output', 'query', 'profile', 'cli-input-json'];

const pascal = (name: string): string => name.replaceAll(/(?:^|-)(\w)/g, (_, letter: string) => letter.toUpperCase());

/** Kebab-case as AWS's command line makes it of a member's name. */
const kebab = (name: string): string =>
  name
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1-$2')
    .replaceAll(/([A-Z]+)([A-Z][a-z])/g, '$1-$2')
    .toLowerCase();

/**
 * What AWS's command line would not know of a command, by the models of the SDK.
 *
 * @param command - its words, the first of them `aws`
 */
export async function unknownToAws([, service = '', operation = '', ...rest]: string[]): Promise<string[]> {
  const what = `aws ${service} ${operation}`;
  const given = optionsOf(rest).filter((option) => !everywhere.includes(option));
  if (listed[service]) {
    const known = listed[service][operation];
    if (!known) return [`${what} does not exist`];
    return given.filter((option) => !known.includes(option)).map((option) => `${what} has no --${option}`);
  }
  const load = clients[service];
  if (!load) return [`${what}: there is no model of this service here`];
  const client = await load();
  const [waiter = ''] = rest;
  const waits = operation === 'wait';
  if (waits && !hasWaiter(client, waiter)) return [`${what} ${waiter} does not exist`];
  // Waiters describe what they wait for: `db-instance-available`.
  const members = inputOf(client, pascal(waits ? `describe-${waiter.replace(/-[a-z]+$/, '')}s` : operation));
  if (!members) return [`${what} does not exist`];
  const known = members.flatMap((member) => [kebab(member), `no-${kebab(member)}`]);
  return given.filter((option) => !known.includes(option)).map((option) => `${what} has no --${option}`);
}

const hasWaiter = (client: Client, name: string): boolean =>
  Object.keys(client).some((each) => each.toLowerCase() === `waituntil${name.replaceAll('-', '')}`);

/** The members of an operation's input; null where there is no such operation. */
function inputOf(client: Client, operation: string): string[] | null {
  // The command line does not tell how the model writes abbreviations: ModifyDBInstance.
  const name = Object.keys(client).find((each) => each.toLowerCase() === `${operation}Command`.toLowerCase());
  const Command = client[name ?? ''] as (new (input: object) => { schema: unknown[] }) | undefined;
  if (!Command) return null;
  // The schema of an operation: its kind, namespace, name, traits, input and output.
  const input = new Command({}).schema[4];
  // The schema of a structure: its kind, namespace, name, traits, the names of its members and their schemas.
  const structure = (typeof input === 'function' ? input() : input) as unknown[];
  return structure[4] as string[];
}
