import * as z from 'zod';
import { invalidParameter } from '../lambda/errors.ts';
import { wireEvent } from './history.ts';
import { pageOf } from './invocation.ts';
import { type Execution, errorObjectSchema, operationUpdateSchema, statusOf, wireOperation } from './model.ts';
import type { DurableService } from './service.ts';

/** A call of the durable execution API; `null` is answered when no route fits. */
export type DurableCall = {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: string;
};

const checkpointSchema = z.object({
  CheckpointToken: z.string().min(1, 'Checkpoint token is required'),
  ClientToken: z.string().nullish(),
  Updates: z.array(operationUpdateSchema).nullish(),
});

const seconds = (milliseconds: number) => milliseconds / 1000;

type Handler = (service: DurableService, argument: string, call: DurableCall) => Record<string, unknown>;

const routes: readonly { readonly method: string; readonly pattern: RegExp; readonly handle: Handler }[] = [
  { method: 'POST', pattern: /^\/2025-12-01\/durable-executions\/([^/]+)\/checkpoint$/, handle: checkpoint },
  { method: 'GET', pattern: /^\/2025-12-01\/durable-executions\/([^/]+)\/state$/, handle: state },
  { method: 'GET', pattern: /^\/2025-12-01\/durable-executions\/([^/]+)\/history$/, handle: history },
  { method: 'POST', pattern: /^\/2025-12-01\/durable-executions\/([^/]+)\/stop$/, handle: stop },
  { method: 'GET', pattern: /^\/2025-12-01\/durable-executions\/([^/]+)$/, handle: get },
  { method: 'GET', pattern: /^\/2025-12-01\/functions\/([^/]+)\/durable-executions$/, handle: list },
  { method: 'POST', pattern: /^\/2025-12-01\/durable-execution-callbacks\/([^/]+)\/succeed$/, handle: succeed },
  { method: 'POST', pattern: /^\/2025-12-01\/durable-execution-callbacks\/([^/]+)\/fail$/, handle: fail },
  { method: 'POST', pattern: /^\/2025-12-01\/durable-execution-callbacks\/([^/]+)\/heartbeat$/, handle: heartbeat },
];

/** Answers a call of the durable execution API. @throws LambdaServiceError */
export function handleDurableCall(service: DurableService, call: DurableCall): Record<string, unknown> | null {
  for (const { method, pattern, handle } of routes) {
    const argument = call.method === method ? pattern.exec(call.path)?.[1] : undefined;
    if (argument !== undefined) return handle(service, decodeURIComponent(argument), call);
  }
  return null;
}

function checkpoint(service: DurableService, arn: string, { body }: DurableCall): Record<string, unknown> {
  const request = checkpointSchema.safeParse(JSON.parse(body || '{}'));
  if (!request.success) throw invalidParameter(z.prettifyError(request.error));
  const { CheckpointToken, ClientToken, Updates } = request.data;
  const { token, operations } = service.checkpoint(arn, {
    token: CheckpointToken,
    clientToken: ClientToken ?? undefined,
    updates: Updates ?? [],
  });
  return {
    CheckpointToken: token,
    NewExecutionState: { Operations: operations.map((operation) => wireOperation(operation, seconds)) },
  };
}

function state(service: DurableService, arn: string, { query }: DurableCall): Record<string, unknown> {
  const execution = service.checkToken(arn, query.get('CheckpointToken') ?? '');
  const { operations, marker } = pageOf(
    execution,
    Number(query.get('Marker') ?? 0),
    Number(query.get('MaxItems') || 1000),
  );
  return {
    Operations: operations.map((operation) => wireOperation(operation, seconds)),
    ...(marker === null ? {} : { NextMarker: marker }),
  };
}

function history(service: DurableService, arn: string, { query }: DurableCall): Record<string, unknown> {
  const { events } = service.find(arn);
  const ordered = query.get('ReverseOrder') === 'true' ? events.toReversed() : events;
  const { items, marker } = paged(ordered, query);
  const includeData = query.get('IncludeExecutionData') === 'true';
  return {
    Events: items.map((event) => wireEvent(event, includeData)),
    ...(marker === null ? {} : { NextMarker: marker }),
  };
}

function get(service: DurableService, arn: string, { query }: DurableCall): Record<string, unknown> {
  const execution = service.find(arn);
  const { start, end } = execution;
  const includeData = query.get('IncludeExecutionData') !== 'false';
  return {
    ...summary(execution),
    Version: start.functionArn.split(':').at(-1),
    ExecutionDataIncluded: includeData,
    DurableConfig: {
      ExecutionTimeout: Math.round((start.timeoutAt - start.startedAt) / 1000),
      RetentionPeriodInDays: start.retentionDays,
    },
    ...(includeData ? { InputPayload: start.input } : {}),
    ...(includeData && end?.result != null ? { Result: end.result } : {}),
    ...(end?.error ? { Error: end.error } : {}),
  };
}

function list(service: DurableService, functionName: string, { query }: DurableCall): Record<string, unknown> {
  const [name = '', qualifier = query.get('Qualifier')] = functionName
    .replace(/^(arn:[^:]+:lambda:[^:]*:\d*:function:)/, '')
    .split(':');
  const statuses = query.getAll('Statuses');
  const wanted = service.all().filter((execution) => {
    const { start } = execution;
    return (
      start.functionName === name &&
      (qualifier === null || start.qualifier === qualifier || start.functionArn.endsWith(`:${qualifier}`)) &&
      (query.get('DurableExecutionName') ?? start.name) === start.name &&
      (statuses.length === 0 || statuses.includes(statusOf(execution))) &&
      start.startedAt >= timeOf(query.get('StartedAfter'), 0) &&
      start.startedAt <= timeOf(query.get('StartedBefore'), Number.POSITIVE_INFINITY)
    );
  });
  const ordered = wanted.toSorted((a, b) =>
    query.get('ReverseOrder') === 'true'
      ? b.start.startedAt - a.start.startedAt
      : a.start.startedAt - b.start.startedAt,
  );
  const { items, marker } = paged(ordered, query);
  return { DurableExecutions: items.map(summary), ...(marker === null ? {} : { NextMarker: marker }) };
}

function stop(service: DurableService, arn: string, { body }: DurableCall): Record<string, unknown> {
  return { StopTimestamp: seconds(service.stop(arn, errorOf(body)).endedAt) };
}

function succeed(service: DurableService, callbackId: string, { body }: DurableCall): Record<string, unknown> {
  service.completeCallback(callbackId, 'SUCCEEDED', body === '' ? {} : { Result: body });
  return {};
}

function fail(service: DurableService, callbackId: string, { body }: DurableCall): Record<string, unknown> {
  service.completeCallback(callbackId, 'FAILED', { Error: errorOf(body) ?? {} });
  return {};
}

function heartbeat(service: DurableService, callbackId: string): Record<string, unknown> {
  service.heartbeat(callbackId);
  return {};
}

function summary(execution: Execution): Record<string, unknown> {
  const { start, end } = execution;
  return {
    DurableExecutionArn: start.arn,
    DurableExecutionName: start.name,
    FunctionArn: start.functionArn,
    Status: statusOf(execution),
    StartTimestamp: seconds(start.startedAt),
    ...(end ? { EndTimestamp: seconds(end.endedAt) } : {}),
  };
}

function errorOf(body: string) {
  if (body === '') return null;
  const parsed = errorObjectSchema.safeParse(JSON.parse(body));
  if (!parsed.success) throw invalidParameter(z.prettifyError(parsed.error));
  return parsed.data;
}

function paged<Item>(all: readonly Item[], query: URLSearchParams): { items: readonly Item[]; marker: string | null } {
  const from = Number(query.get('Marker') ?? 0);
  const items = all.slice(from, from + Number(query.get('MaxItems') || 100));
  const next = from + items.length;
  return { items, marker: next < all.length ? String(next) : null };
}

/** A time in a query is ISO 8601 or seconds since 1970. */
function timeOf(text: string | null, otherwise: number): number {
  if (text === null) return otherwise;
  return /^[\d.]+$/.test(text) ? Number(text) * 1000 : Date.parse(text);
}
