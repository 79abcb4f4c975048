import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateScheduleGroupCommand, SchedulerClient } from '@aws-sdk/client-scheduler';
import { environmentNames } from '../../shared/configuration/environment.ts';
import type { RouteDefinition } from '../../shared/contract/define-route.ts';
import type { Role } from '../../shared/contract/roles.ts';
import { basePath, routes } from '../../shared/contract/routes.ts';
import type { Problem } from '../../shared/contract/schemas/common.ts';
import type { ApiResult } from '../../shared/http/event.ts';
import { clientOptions } from '../local/aws/support.ts';
import { type StateService, startState } from '../state/support.ts';

/** What a route asks for in its query, with values that fit. */
export function requiredQueryOf({ query }: RouteDefinition): Record<string, string> {
  const required = Object.entries(query?.shape ?? {}).filter(([, field]) => !field.safeParse(undefined).success);
  return Object.fromEntries(required.map(([name]) => [name, 'public.anything']));
}

export interface Invocation {
  functionArn: string;
  executionName: string;
  event: Record<string, unknown>;
}

export interface Call {
  method: string;
  path: string;
  /** null: nobody; otherwise the caller's roles. */
  as?: Role[] | null;
  /** The authorizer's context as it is, in place of those. */
  authorizer?: Record<string, string>;
  sub?: string;
  /** Ids of the databases that the caller's roles are limited to. */
  databases?: string[];
  query?: Record<string, string>;
  body?: unknown;
  headers?: Record<string, string>;
  /** Changes the event in the end. */
  raw?: Record<string, unknown>;
}

export interface Answer {
  status: number;
  headers: Record<string, string>;
  // biome-ignore lint/suspicious/noExplicitAny: a test says itself what it expects in a body.
  body: any;
  problem: Problem;
}

export interface TestApi extends StateService {
  bucket: string;
  backupKeyArn: string;
  downloadBucket: string;
  invocations: Invocation[];
  /** Makes Lambda refuse every invocation from now on, or none. */
  refuseInvocations(refuse: boolean): void;
  call(call: Call): Promise<Answer>;
}

const DATABASES = ['shop', 'crm'];

/** A database that is there, behind both ids. */
export interface RealDatabase {
  host: string;
  port: number;
  name: string;
  user: string;
  password: string;
  /** By default as on AWS. */
  kind?: 'self-managed';
}

async function configured({ services }: StateService, real: RealDatabase | null) {
  if (!real) {
    return DATABASES.map((id) => ({
      id,
      host: 'db.example',
      name: id,
      login: { type: 'secret', secret_arn: `arn:aws:secretsmanager:eu-west-1:111122223333:secret:${id}` },
    }));
  }
  const { host, port, name, user: username, password, kind } = real;
  const secret_arn = await services.putSecret('databases/real', JSON.stringify({ username, password }));
  const tls = { mode: 'disable' };
  return DATABASES.map((id) => ({ id, kind, host, port, name, tls, login: { type: 'secret', secret_arn } }));
}

export const SCHEDULE_GROUP = 'dbms-backups';

/** Sets up what the functions find in their environment, so that they can be imported, and calls them as API Gateway does. */
export async function startApi(
  identity: Record<string, unknown> = { issuer: 'https://issuer.example', audience: 'dbms' },
  real: RealDatabase | null = null,
): Promise<TestApi> {
  const state = await startState();
  const folder = await mkdtemp(join(tmpdir(), 'dbms-api-'));
  const configurationPath = join(folder, 'runtime.json');
  const databases = await configured(state, real);
  const settings = { allowed_address_ranges: ['10.0.0.0/8'], requests_per_minute: 100_000 };
  await writeFile(configurationPath, JSON.stringify({ databases, identity, ...settings }));
  const lambda = await startLambda();
  await makeScheduleGroup(state.services.endpoints.scheduler);
  const bucket = 'backups';
  const downloadBucket = 'downloads';
  const backupKeyArn = await state.services.createKey({ keyId: 'backups' });
  Object.assign(process.env, state.services.environment(), {
    AWS_ENDPOINT_URL_LAMBDA: lambda.url,
    POWERTOOLS_LOG_LEVEL: 'SILENT',
    [environmentNames.configurationPath]: configurationPath,
    [environmentNames.stateTable]: state.table.name,
    [environmentNames.auditTable]: state.auditTable.name,
    [environmentNames.backupBucket]: bucket,
    [environmentNames.downloadBucket]: downloadBucket,
    [environmentNames.backupKeyArn]: backupKeyArn,
    [environmentNames.maskingKeyArn]: await state.services.createKey({ keyId: 'masking', keySpec: 'HMAC_256' }),
    [environmentNames.auditBucket]: bucket,
    [environmentNames.archiveKeyArn]: await state.services.createKey({ keyId: 'archive' }),
    [environmentNames.auditKeyArn]: await state.services.createKey({ keyId: 'audit', keySpec: 'ECC_NIST_P256' }),
    [environmentNames.backupFunctionArn]: 'arn:aws:lambda:eu-west-1:111122223333:function:backup:live',
    [environmentNames.rebuildFunctionArn]: 'arn:aws:lambda:eu-west-1:111122223333:function:rebuild-catalog:live',
    [environmentNames.scheduleGroup]: SCHEDULE_GROUP,
    [environmentNames.scheduleRoleArn]: 'arn:aws:iam::111122223333:role/schedules',
    [environmentNames.deadLetterQueueArn]: 'arn:aws:sqs:eu-west-1:111122223333:dead-letters',
    [environmentNames.downloadFunctionArn]: 'arn:aws:lambda:eu-west-1:111122223333:function:download:live',
    [environmentNames.validateFunctionArn]: 'arn:aws:lambda:eu-west-1:111122223333:function:validate:live',
    [environmentNames.samplerFunctionArn]: 'arn:aws:lambda:eu-west-1:111122223333:function:sample-health',
    [environmentNames.restoreFunctionArn]: 'arn:aws:lambda:eu-west-1:111122223333:function:restore:live',
  });
  const handlers = {
    'backups-api': (await import('../../functions/backups-api.ts')).handler,
    'schedules-api': (await import('../../functions/schedules-api.ts')).handler,
    'downloads-api': (await import('../../functions/downloads-api.ts')).handler,
    'restore-api': (await import('../../functions/restore-api.ts')).handler,
    'restore-server-api': (await import('../../functions/restore-server-api.ts')).handler,
    'recovery-api': (await import('../../functions/recovery-api.ts')).handler,
    'jobs-api': (await import('../../functions/jobs-api.ts')).handler,
    'health-api': (await import('../../functions/health-api.ts')).handler,
    'doctor-api': (await import('../../functions/doctor-api.ts')).handler,
    'alerts-api': (await import('../../functions/alerts-api.ts')).handler,
    'masking-api': (await import('../../functions/masking-api.ts')).handler,
    'audit-api': (await import('../../functions/audit-api.ts')).handler,
    'settings-api': (await import('../../functions/settings-api.ts')).handler,
    'compliance-api': (await import('../../functions/compliance-api.ts')).handler,
    'access-api': (await import('../../functions/access-api.ts')).handler,
    'docs-api': (await import('../../functions/docs-api.ts')).handler,
  };

  return {
    ...state,
    bucket,
    backupKeyArn,
    downloadBucket,
    invocations: lambda.invocations,
    refuseInvocations: lambda.refuse,
    async call({
      method,
      path,
      as = ['admin'],
      sub = 'alice',
      databases,
      query = {},
      body,
      headers = {},
      authorizer,
      raw = {},
    }) {
      const pattern = (template: string): RegExp => new RegExp(`^${template.replace(/\{\w+\}/g, '([^/]+)')}$`);
      const there = routes.filter((route) => pattern(route.path).test(path));
      const route = there.find((candidate) => candidate.method === method) ?? there[0];
      const names = [...(route?.path.matchAll(/\{(\w+)\}/g) ?? [])].map(([, name = '']) => name);
      const [, ...given] = (route && pattern(route.path).exec(path)) ?? [];
      const event = {
        resource: basePath + (route?.path ?? path),
        path: basePath + path,
        httpMethod: method,
        headers: { ...(body === undefined ? {} : { 'Content-Type': 'application/json' }), ...headers },
        pathParameters: names.length === 0 ? null : Object.fromEntries(names.map((name, at) => [name, given[at]])),
        queryStringParameters: query,
        multiValueQueryStringParameters: Object.fromEntries(
          Object.entries(query).map(([name, value]) => [name, [value]]),
        ),
        body: body === undefined ? null : typeof body === 'string' ? body : JSON.stringify(body),
        isBase64Encoded: false,
        requestContext: {
          requestId: 'request-1',
          path: `/v1${basePath}${path}`,
          authorizer:
            authorizer ??
            (as === null
              ? null
              : { sub, roles: as.join(' '), ...(databases ? { databases: databases.join(' ') } : {}) }),
          identity: { sourceIp: '10.1.2.3' },
        },
        ...raw,
      };
      const context = { getRemainingTimeInMillis: () => 30_000 } as never;
      const handler = handlers[route?.servedBy ?? 'jobs-api'];
      const { statusCode, headers: sent, body: text }: ApiResult = await handler(event, context);
      const isJson = /json(?:;|$)/.test(sent['Content-Type'] ?? '');
      const parsed = isJson ? JSON.parse(text) : text;
      return { status: statusCode, headers: sent, body: parsed, problem: parsed };
    },
    async close() {
      await lambda.close();
      await state.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function makeScheduleGroup(endpoint: string): Promise<void> {
  const client = new SchedulerClient(clientOptions(endpoint));
  await client.send(new CreateScheduleGroupCommand({ Name: SCHEDULE_GROUP }));
  client.destroy();
}

/** A Lambda endpoint that accepts asynchronous invocations and keeps them for the test to look at. */
async function startLambda() {
  const invocations: Invocation[] = [];
  let refusing = false;
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    if (refusing) {
      response.writeHead(403, { 'x-amzn-errortype': 'AccessDeniedException' }).end('{"Message":"no"}');
      return;
    }
    const [, functionArn = ''] = /functions\/([^/]+)\/invocations/.exec(request.url ?? '') ?? [];
    // Nobody would sample, and who asks would wait for it.
    if (decodeURIComponent(functionArn).endsWith(':sample-health')) {
      response.writeHead(404, { 'x-amzn-errortype': 'ResourceNotFoundException' }).end('{"Message":"no"}');
      return;
    }
    invocations.push({
      functionArn: decodeURIComponent(functionArn),
      executionName: String(request.headers['x-amz-durable-execution-name']),
      event: JSON.parse(Buffer.concat(chunks).toString('utf8')),
    });
    response.writeHead(202).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    invocations,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    refuse: (refuse: boolean) => {
      refusing = refuse;
    },
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
