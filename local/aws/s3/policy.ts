import type { IncomingMessage } from 'node:http';
import { BlockList, isIP } from 'node:net';
import * as z from 'zod';
import { AwsError } from '../errors.ts';
import type { Bucket } from './store.ts';

const texts = z.union([z.string(), z.array(z.string())]).transform((given) => [given].flat());
const statementSchema = z.object({
  Effect: z.enum(['Allow', 'Deny']),
  Action: texts,
  Condition: z.record(z.string(), z.record(z.string(), texts)).default({}),
});
const policySchema = z.object({ Statement: z.array(statementSchema).default([]) });

/** By their operators. Those that are not here are of transport and encryption, which no request to the local S3 fails. */
const operators: Readonly<Record<string, (actual: string, values: readonly string[]) => boolean>> = {
  StringEquals: (actual, values) => values.includes(actual),
  NotIpAddress: (actual, values) => !isWithin(actual, values),
};

/** Whether a statement of the bucket's policy forbids an action to whoever sends such a request. */
export function forbids({ configurations: { policy } }: Bucket, action: string, request: IncomingMessage): boolean {
  if (!policy) return false;
  const context: Readonly<Record<string, string>> = contextOf(request);
  return policySchema.parse(JSON.parse(policy)).Statement.some(({ Effect, Action, Condition }) => {
    if (Effect !== 'Deny' || !Action.includes(action)) return false;
    return Object.entries(Condition).every(([operator, keys]) =>
      Object.entries(keys).every(([key, values]) => {
        const actual = context[key];
        return actual !== undefined && (operators[operator]?.(actual, values) ?? false);
      }),
    );
  });
}

/** What a policy's conditions may speak of, as far as they are evaluated here. */
const contextOf = ({ headers, socket }: IncomingMessage) => ({
  'aws:SourceIp': socket.remoteAddress?.replace(/^::ffff:/, '') ?? '127.0.0.1',
  // Whether the signature came in a header or in the address.
  's3:authType': headers.authorization === undefined ? 'REST-QUERY-STRING' : 'REST-HEADER',
});

/** @throws AwsError `AccessDenied` */
export function checkPolicy(bucket: Bucket, action: string, request: IncomingMessage): void {
  if (forbids(bucket, action, request))
    throw new AwsError('AccessDenied', 'Access Denied by an explicit deny in a resource-based policy', 403);
}

function isWithin(address: string, ranges: readonly string[]): boolean {
  const family = (text: string) => (isIP(text) === 6 ? 'ipv6' : 'ipv4');
  const list = new BlockList();
  for (const range of ranges) {
    const [network = '', bits = ''] = range.split('/');
    list.addSubnet(network, Number(bits), family(network));
  }
  return list.check(address, family(address));
}
