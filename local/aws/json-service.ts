import type { RequestListener } from 'node:http';
import * as z from 'zod';
import { type Access, callerOf } from '../iam/access.ts';
import type { AccessRequest } from '../iam/evaluate.ts';
import { localAccount } from './account.ts';
import { AwsError, asAwsError } from './errors.ts';
import type { FaultList, ServiceName } from './faults.ts';
import { readBody, send } from './http.ts';

/**
 * One API operation: takes the request as JSON, gives the answer as JSON (nothing for an empty answer).
 *
 * @param region - the one that the request was signed for
 */
export type Operation = (input: unknown, region: string) => Promise<object | undefined> | object | undefined;

/**
 * An operation whose input is checked.
 *
 * @throws AwsError `ValidationException` naming the member that is wrong.
 */
export function operation<Schema extends z.ZodType>(
  schema: Schema,
  run: (input: z.output<Schema>, region: string) => ReturnType<Operation>,
): Operation {
  return (input, region) => {
    const parsed = schema.safeParse(input);
    if (!parsed.success) throw new AwsError('ValidationException', z.prettifyError(parsed.error));
    return run(parsed.data, region);
  };
}

export type JsonService = {
  name: ServiceName;
  version: '1.0' | '1.1';
  /** By operation name, as in `x-amz-target: <service>.<operation>`. */
  operations: Readonly<Record<string, Operation>>;
  /** The rights that a call needs. */
  requests: (operation: string, input: unknown, region: string) => readonly AccessRequest[];
};

/** Serves an AWS JSON protocol: the operation in a header, input and answer as the body. */
export function serveJson(
  { name, version, operations, requests }: JsonService,
  faults: FaultList,
  access: Access,
): RequestListener {
  const contentType = `application/x-amz-json-${version}`;
  return async (request, response) => {
    try {
      const body = await readBody(request);
      const called = String(request.headers['x-amz-target'] ?? '').replace(/^.*\./, '');
      faults.check(name, called);
      const run = operations[called];
      if (!run)
        throw new AwsError('UnknownOperationException', `The local ${name} endpoint has no ${called || '(none)'}`);
      const { authorization } = request.headers;
      const region = /Credential=[^/]+\/\d+\/([^/]+)\//.exec(authorization ?? '')?.[1] ?? localAccount.region;
      const input = body.length > 0 ? JSON.parse(body.toString('utf8')) : {};
      const caller = callerOf(authorization);
      if (access.isLimited(caller)) access.check(caller, requests(called, input, region));
      const answer = await run(input, region);
      send(response, 200, contentType, answer ? JSON.stringify(answer) : '');
    } catch (error) {
      const { code, message, status, members } = asAwsError(error);
      send(response, status, contentType, JSON.stringify({ __type: code, message, ...members }));
    }
  };
}
