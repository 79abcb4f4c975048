import * as kms from '@aws-sdk/client-kms';
import * as rds from '@aws-sdk/client-rds';
import * as s3 from '@aws-sdk/client-s3';
import * as secretsmanager from '@aws-sdk/client-secrets-manager';

export interface AwsClients {
  s3: s3.S3Client;
  kms: kms.KMSClient;
  rds: rds.RDSClient;
  secretsManager: secretsmanager.SecretsManagerClient;
}

/** Words that the API does not write with one capital. */
const SPELLED: Readonly<Record<string, string>> = { db: 'DB', arn: 'ARN', iam: 'IAM', az: 'AZ', ca: 'CA' };

/** `db-instance` as the SDK writes it: `DBInstance`; likewise ARN. */
const pascal = (words: string): string =>
  words
    .split('-')
    .map((word) => SPELLED[word] ?? word.slice(0, 1).toUpperCase() + word.slice(1))
    .join('');

/** The words of a shell's line; single quotes and backslashes alone are known. */
const wordsOf = (line: string): string[] =>
  [...line.matchAll(/(?:'[^']*'|\\.|[^\s'\\])+/g)].map(([word]) => word.replaceAll(/'([^']*)'|\\(.)/g, '$1$2'));

function parseValue(text: string): unknown {
  if (/^[{[]/.test(text)) return JSON.parse(text);
  return /^\d{1,6}$/.test(text) ? Number(text) : text;
}

/** Options that take several words. */
const LISTS = new Set(['vpc-security-group-ids']);

/** Runs a command for AWS's CLI, as a shell would. @throws as {@link runAwsWords} */
export async function runAws(line: string, clients: Partial<AwsClients>): Promise<void> {
  const [program, ...words] = wordsOf(line);
  if (program !== 'aws') throw new Error(`No command for AWS's CLI: ${line}`);
  await runAwsWords(words, clients);
}

/**
 * Runs a command for AWS's CLI with the SDK: its operation and options are those of the API in another spelling, as are its waiters.
 *
 * @returns what AWS answers
 * @throws what AWS says; Error for an operation or an option that it does not know
 */
export async function runAwsWords(
  [service = '', ...rest]: readonly string[],
  clients: Partial<AwsClients>,
): Promise<unknown> {
  const line = ['aws', service, ...rest].join(' ');
  const waits = rest[0] === 'wait';
  const [operation = '', ...words] = waits ? rest.slice(1) : rest;
  const input: Record<string, unknown> = {};
  for (let at = 0; at < words.length; at++) {
    const name = (words[at] ?? '').replace(/^--/, '');
    const next = words[at + 1];
    if (LISTS.has(name)) {
      const end = words.findIndex((word, index) => index > at && word.startsWith('--'));
      const values = words.slice(at + 1, end < 0 ? undefined : end);
      input[pascal(name)] = values;
      at += values.length;
    } else if (next !== undefined && !next.startsWith('--')) {
      // The API takes a policy as text.
      input[pascal(name)] = name === 'policy' ? next : parseValue(next);
      at += 1;
    } else if (name.startsWith('no-')) input[pascal(name.slice(3))] = false;
    else input[pascal(name)] = true;
  }
  const [module, client] = {
    s3api: [s3, clients.s3],
    kms: [kms, clients.kms],
    rds: [rds, clients.rds],
    secretsmanager: [secretsmanager, clients.secretsManager],
  }[service] ?? [undefined, undefined];
  if (waits) {
    const wait = (module as Record<string, unknown> | undefined)?.[`waitUntil${pascal(operation)}`];
    if (!wait) throw new Error(`The SDK has no waiter for ${service} ${operation}`);
    await (wait as (how: object, input: object) => Promise<unknown>)({ client, maxWaitTime: 10, minDelay: 1 }, input);
    return null;
  }
  const Command = (module as Record<string, unknown> | undefined)?.[`${pascal(operation)}Command`];
  if (!Command || !client) throw new Error(`The SDK has no ${service} ${operation}`);
  const command = new (Command as new (input: unknown) => never)(input);
  assertOptions(command, input, line);
  return (client as { send(command: never): Promise<unknown> }).send(command);
}

/** The SDK drops what it does not know, and the CLI refuses it. */
function assertOptions(command: { schema?: unknown[] }, input: Record<string, unknown>, line: string): void {
  const schema = command.schema?.[4];
  const known: unknown = Array.isArray(schema) ? schema[4] : (schema as (() => unknown[]) | undefined)?.()?.[4];
  const unknown = Array.isArray(known) ? Object.keys(input).filter((name) => !known.includes(name)) : [];
  if (unknown.length > 0) throw new Error(`AWS's CLI knows no ${unknown.join(', ')} in: ${line}`);
}
