import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { type Access, callerOf } from '../iam/access.ts';
import type { AccessRequest } from '../iam/evaluate.ts';
import { AwsError, asAwsError } from './errors.ts';
import type { FaultList, ServiceName } from './faults.ts';
import { readBody, send } from './http.ts';
import { escapeXml } from './xml.ts';

/** One API operation: takes the request's form, gives what is inside the answer's result, as XML. */
export type QueryOperation = (form: URLSearchParams) => Promise<string> | string;

export type QueryService = {
  name: ServiceName;
  /** As messages name it. */
  title: string;
  /** Of the answers' XML. */
  namespace: string;
  /** By operation name, as in `Action`. */
  operations: Readonly<Record<string, QueryOperation>>;
  /** The rights that a call needs. */
  requests: (operation: string, form: URLSearchParams) => readonly AccessRequest[];
  /** Answers a GET, which is no call of an operation. */
  page?: (request: IncomingMessage, response: ServerResponse) => void;
};

/** Serves an AWS Query protocol: operation and input as a form, the answer as XML. */
export function serveQuery(
  { name, title, namespace, operations, requests, page }: QueryService,
  faults: FaultList,
  access: Access,
): RequestListener {
  return async (request, response) => {
    try {
      if (page && request.method === 'GET') {
        page(request, response);
        return;
      }
      const form = new URLSearchParams((await readBody(request)).toString('utf8'));
      const called = form.get('Action') ?? '';
      faults.check(name, called);
      const run = operations[called];
      if (!run) throw new AwsError('InvalidAction', `The local ${title} has no ${called || '(none)'}`);
      const caller = callerOf(request.headers.authorization);
      if (access.isLimited(caller)) access.check(caller, requests(called, form), 'AccessDenied');
      const result = await run(form);
      const xml = `<${called}Response xmlns="${namespace}"><${called}Result>${result}</${called}Result></${called}Response>`;
      send(response, 200, 'text/xml', xml);
    } catch (error) {
      const { code, message, status } = asAwsError(error);
      const type = status < 500 ? 'Sender' : 'Receiver';
      const xml = `<ErrorResponse><Error><Type>${type}</Type><Code>${escapeXml(code)}</Code><Message>${escapeXml(message)}</Message></Error></ErrorResponse>`;
      send(response, status, 'text/xml', xml);
    }
  };
}

/** A list in AWS's form encoding: `name.member.1`, `name.member.2`, ... */
export function members(form: URLSearchParams, name: string): string[] {
  const values: string[] = [];
  for (let index = 1; form.has(`${name}.member.${index}`); index += 1)
    values.push(form.get(`${name}.member.${index}`) ?? '');
  return values;
}
