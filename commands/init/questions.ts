import { readFileSync } from 'node:fs';
import { deploymentSchema } from '../../infra/config/schema.ts';
import { platformKinds } from '../../shared/configuration/runtime.ts';
import type { Platform } from '../../shared/platforms/platform.ts';
import { platformOf } from '../../shared/platforms/platforms.ts';

/** What was answered so far, by the name of the question; null: left out. */
export type Answers = Readonly<Record<string, unknown>>;

export interface Question {
  /** Its option on the command line: `--host`. */
  name: string;
  /** Where the value stands in the configuration. */
  path: readonly (string | number)[];
  text: string;
  /** Taken for an empty answer; null: it may be left out; undefined: it must be answered. */
  standard?: (answers: Answers) => string | null;
  /** By default it is always asked. */
  isAsked?: (answers: Answers) => boolean;
  /** Its value where it is not asked. */
  otherwise?: string;
  /** Of what was typed; by default the text itself. @throws Error in words */
  read?: (text: string) => unknown;
}

const list = (text: string): string[] => text.split(/[\s,]+/).filter((each) => each !== '');
const none = () => null;
const isSecret = ({ login }: Answers) => login === 'secret';
const isIam = ({ login }: Answers) => login === 'iam';
/** Of the answers; undefined while nobody has said which, or with a word that names none. */
const answeredPlatform = ({ kind }: Answers): Platform | undefined => {
  const known = platformKinds.find((each) => each === kind);
  return known && platformOf({ kind: known });
};
const hasVpc = ({ vpc }: Answers) => typeof vpc === 'string';

/** What `npm run init` asks, in its order. Everything else has the default of infra/config/schema.ts. */
export const questions: readonly Question[] = [
  {
    name: 'region',
    path: ['region'],
    text: 'AWS region to deploy to',
    standard: () => process.env.AWS_REGION ?? process.env.AWS_DEFAULT_REGION ?? 'eu-central-1',
  },
  { name: 'account', path: ['account'], text: 'AWS account, 12 digits' },
  { name: 'prefix', path: ['prefix'], text: 'Prefix of all names in AWS', standard: () => 'dbms' },
  {
    name: 'kind',
    path: ['databases', 0, 'kind'],
    text: `Where the database runs: ${platformKinds.slice(0, -1).join(', ')} or ${platformKinds.at(-1)}`,
    standard: () => platformKinds[0],
  },
  { name: 'host', path: ['databases', 0, 'host'], text: 'Host name of its server' },
  { name: 'port', path: ['databases', 0, 'port'], text: 'Port', standard: () => '5432', read: Number },
  { name: 'name', path: ['databases', 0, 'name'], text: 'Name of the database on the server' },
  {
    name: 'id',
    path: ['databases', 0, 'id'],
    text: 'Id of the database in the API and in the bucket',
    standard: ({ name }) => idOf(String(name)),
  },
  {
    name: 'ca-file',
    path: ['databases', 0, 'tls', 'ca'],
    text: "File with the certificate authority of the server's certificate (PEM); empty: a public one",
    standard: none,
    isAsked: (answers) => answeredPlatform(answers)?.endpoints.hasOwnAuthority === true,
    read: readCertificate,
  },
  {
    name: 'login',
    path: ['databases', 0, 'login', 'type'],
    text: 'Log in with a password from Secrets Manager (secret) or with IAM authentication (iam)',
    standard: () => 'secret',
    isAsked: (answers) => answeredPlatform(answers)?.privileges.logins.includes('iam') === true,
    otherwise: 'secret',
  },
  {
    name: 'secret-arn',
    path: ['databases', 0, 'login', 'secret_arn'],
    text: 'ARN of the secret with the username and the password',
    isAsked: isSecret,
  },
  {
    name: 'user',
    path: ['databases', 0, 'login', 'user'],
    text: 'Name of the login',
    standard: () => 'dbms',
    isAsked: isIam,
  },
  {
    name: 'resource-id',
    path: ['databases', 0, 'login', 'resource_id'],
    text: 'Resource id of the instance (db-...) or the cluster (cluster-...)',
    isAsked: isIam,
  },
  {
    name: 'vpc',
    path: ['databases', 0, 'vpc', 'vpc_id'],
    text: 'VPC from which the server is reached; empty: it is reached over the internet',
    standard: none,
  },
  {
    name: 'subnets',
    path: ['databases', 0, 'vpc', 'subnet_ids'],
    text: 'Ids of private subnets of the VPC, separated by commas',
    isAsked: hasVpc,
    read: list,
  },
  {
    name: 'zones',
    path: ['databases', 0, 'vpc', 'availability_zones'],
    text: 'Availability zones of these subnets, in their order',
    isAsked: hasVpc,
    read: list,
  },
  {
    name: 'security-groups',
    path: ['databases', 0, 'vpc', 'security_group_ids'],
    text: "Ids of security groups for the functions, which the server's own lets in",
    isAsked: hasVpc,
    read: list,
  },
  {
    name: 'alert-emails',
    path: ['alert_emails'],
    text: 'E-mail addresses that get alerts, separated by commas; empty: none',
    standard: none,
    read: list,
  },
  {
    name: 'retention-days',
    path: ['backups', 'retention_days'],
    text: 'Days for which backups are kept',
    standard: () => '30',
    read: Number,
  },
  {
    name: 'copies-region',
    path: ['copies', 'region'],
    text: 'Second region for copies of the backups; empty: no copies',
    standard: none,
  },
];

function idOf(name: string): string {
  const id = name
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, '-')
    .replace(/^[^a-z]+/, '')
    .slice(0, 40);
  return id === '' ? 'database' : id;
}

function readCertificate(path: string): string {
  const text = readFileSync(path, 'utf8');
  if (!text.includes('-----BEGIN CERTIFICATE-----')) throw new Error(`${path} holds no certificate in PEM form`);
  return text;
}

/** Values in place of those that are not known yet, so that the whole can be checked after each answer. */
const placeholders = { name: 'x', host: 'x', id: 'x' };
const placeholderLogins = {
  secret: { type: 'secret', secret_arn: 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:x' },
  iam: { type: 'iam', user: 'x', resource_id: 'db-X' },
};
const placeholderVpc = { vpc_id: 'vpc-0', subnet_ids: ['subnet-0'], security_group_ids: ['sg-0'] };

/** The configuration that answers come to. */
export function configurationOf(answers: Answers): Record<string, unknown> {
  const configuration: Record<string, unknown> = {};
  for (const { name, path } of questions) {
    const value = answers[name];
    if (value === undefined || value === null) continue;
    let at = configuration;
    path.slice(0, -1).forEach((step, depth) => {
      at[step] ??= typeof path[depth + 1] === 'number' ? [] : {};
      at = at[step] as Record<string, unknown>;
    });
    at[path.at(-1) as string] = value;
  }
  return configuration;
}

/**
 * What is wrong with the answer to a question, by the schema of the configuration.
 *
 * @returns null when nothing is
 */
export function problemOf({ path }: Question, answers: Answers): string | null {
  const given = configurationOf(answers) as { databases?: Record<string, unknown>[]; account?: string };
  const [database = {}] = given.databases ?? [];
  const login = (database.login ?? {}) as { type?: keyof typeof placeholderLogins };
  const vpc = database.vpc as { subnet_ids?: string[] } | undefined;
  const zones = vpc?.subnet_ids?.map(() => 'eu-central-1a') ?? ['eu-central-1a'];
  const parsed = deploymentSchema.safeParse({
    ...given,
    databases: [
      {
        ...placeholders,
        ...database,
        login: { ...placeholderLogins[login.type ?? 'secret'], ...login },
        ...(vpc ? { vpc: { ...placeholderVpc, availability_zones: zones, ...vpc } } : {}),
      },
    ],
  });
  const found = parsed.error?.issues.find((issue) => path.every((step, at) => issue.path[at] === step));
  return found?.message ?? null;
}
