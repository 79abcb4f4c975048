import * as z from 'zod';
import { localArn } from '../aws/account.ts';
import type { AccessRequest } from '../iam/evaluate.ts';

/** A call of the Lambda API. */
type Call = { readonly method: string; readonly path: string; readonly query: URLSearchParams; readonly body: string };

const calls: readonly { readonly method: string; readonly pattern: RegExp; readonly operation: string }[] = [
  { method: 'POST', pattern: /^\/2015-03-31\/functions\/([^/]+)\/invocations$/, operation: 'InvokeFunction' },
  { method: 'GET', pattern: /^\/2015-03-31\/functions\/([^/]+)\/versions$/, operation: 'ListVersionsByFunction' },
  { method: 'GET', pattern: /^\/2015-03-31\/functions\/([^/]+)\/aliases$/, operation: 'ListAliases' },
  { method: 'DELETE', pattern: /^\/2015-03-31\/functions\/([^/]+)$/, operation: 'DeleteFunction' },
  {
    method: 'GET',
    pattern: /^\/2025-12-01\/functions\/([^/]+)\/durable-executions$/,
    operation: 'ListDurableExecutionsByFunction',
  },
];

const executions: typeof calls = [
  {
    method: 'POST',
    pattern: /^\/2025-12-01\/durable-executions\/([^/]+)\/checkpoint$/,
    operation: 'CheckpointDurableExecution',
  },
  {
    method: 'GET',
    pattern: /^\/2025-12-01\/durable-executions\/([^/]+)\/state$/,
    operation: 'GetDurableExecutionState',
  },
  {
    method: 'GET',
    pattern: /^\/2025-12-01\/durable-executions\/([^/]+)\/history$/,
    operation: 'GetDurableExecutionHistory',
  },
  { method: 'POST', pattern: /^\/2025-12-01\/durable-executions\/([^/]+)\/stop$/, operation: 'StopDurableExecution' },
  { method: 'GET', pattern: /^\/2025-12-01\/durable-executions\/([^/]+)$/, operation: 'GetDurableExecution' },
];

const checkpoint = z.object({
  Updates: z.array(z.looseObject({ ChainedInvokeOptions: z.object({ FunctionName: z.string() }).nullish() })).nullish(),
});

/** The rights that a call needs; a checkpoint that starts a function needs the one to invoke it. */
export function lambdaRequests({ method, path, query, body }: Call): AccessRequest[] {
  for (const call of calls) {
    const name = call.method === method ? call.pattern.exec(path.replace(/\/$/, ''))?.[1] : undefined;
    if (name === undefined) continue;
    const resource = functionArn(decodeURIComponent(name), query.get('Qualifier'));
    return [{ action: `lambda:${call.operation}`, resource }];
  }
  for (const call of executions) {
    const arn = call.method === method ? call.pattern.exec(path)?.[1] : undefined;
    if (arn === undefined) continue;
    const parsed = checkpoint.safeParse(call.operation.startsWith('Checkpoint') ? JSON.parse(body || '{}') : {});
    const invoked = (parsed.data?.Updates ?? []).flatMap(({ ChainedInvokeOptions }) => ChainedInvokeOptions ?? []);
    return [
      { action: `lambda:${call.operation}`, resource: decodeURIComponent(arn) },
      ...invoked.map(({ FunctionName }) => ({
        action: 'lambda:InvokeFunction',
        resource: functionArn(FunctionName, null),
      })),
    ];
  }
  const callback = /^\/2025-12-01\/durable-execution-callbacks\/[^/]+\/(succeed|fail|heartbeat)$/.exec(path)?.[1];
  const ends: Readonly<Record<string, string>> = { succeed: 'Success', fail: 'Failure', heartbeat: 'Heartbeat' };
  const operation = callback === undefined ? 'GetAccountSettings' : `SendDurableExecutionCallback${ends[callback]}`;
  return [{ action: `lambda:${operation}`, resource: '*' }];
}

/** Of a name or an ARN, either of which may end with a qualifier. */
function functionArn(nameOrArn: string, qualifier: string | null): string {
  const name = nameOrArn.replace(/^(arn:[^:]+:lambda:[^:]*:)?(\d{12}:)?(function:)?/, '');
  return localArn('lambda', `function:${name}${qualifier === null || name.includes(':') ? '' : `:${qualifier}`}`);
}
