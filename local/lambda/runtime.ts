import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { FromInstance, FunctionError, InvocationContext, ToInstance } from './protocol.ts';

/**
 * The process of one function instance: loads the bundled handler and answers one invocation after the other,
 * as Lambda's Node runtime does. It ends when the process that started it is gone.
 */
type Handler = (event: unknown, context: Record<string, unknown>) => unknown;

const environment = process.env;

function send(message: FromInstance): void {
  process.send?.(message);
}

function describe(error: unknown): FunctionError {
  if (!(error instanceof Error)) return { errorType: typeof error, errorMessage: String(error), trace: [] };
  return { errorType: error.name, errorMessage: error.message, trace: error.stack?.split('\n') ?? [] };
}

async function loadHandler(): Promise<Handler> {
  const [file = '', name = ''] = (environment._HANDLER ?? '').split(/\.(?=[^.]+$)/);
  const root = environment.LAMBDA_TASK_ROOT ?? '';
  const path = ['.mjs', '.js', '.cjs'].map((extension) => join(root, file + extension)).find(existsSync);
  if (path === undefined)
    throw Object.assign(new Error(`Cannot find module '${file}'`), { name: 'Runtime.ImportModuleError' });
  const loaded = (await import(pathToFileURL(path).href)) as Record<string, unknown>;
  const handler = loaded[name] ?? (loaded.default as Record<string, unknown> | undefined)?.[name];
  if (typeof handler !== 'function') {
    throw Object.assign(new Error(`${file}.${name} is undefined or not exported`), { name: 'Runtime.HandlerNotFound' });
  }
  return handler as Handler;
}

function contextOf({
  requestId,
  invokedFunctionArn,
  functionVersion,
  deadline,
}: InvocationContext): Record<string, unknown> {
  return {
    awsRequestId: requestId,
    invokedFunctionArn,
    functionName: environment.AWS_LAMBDA_FUNCTION_NAME,
    functionVersion,
    memoryLimitInMB: environment.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: environment.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: environment.AWS_LAMBDA_LOG_STREAM_NAME,
    callbackWaitsForEmptyEventLoop: true,
    getRemainingTimeInMillis: () => Math.max(0, deadline - Date.now()),
  };
}

process.on('disconnect', () => process.exit(0));

try {
  const handler = await loadHandler();
  process.on('message', (message: ToInstance) => {
    void (async () => {
      try {
        const result: unknown = await handler(JSON.parse(message.payload), contextOf(message.context));
        send({ type: 'result', payload: JSON.stringify(result) ?? 'null' });
      } catch (error) {
        console.error(JSON.stringify({ level: 'ERROR', requestId: message.context.requestId, ...describe(error) }));
        send({ type: 'error', error: describe(error) });
      }
    })();
  });
  send({ type: 'ready' });
} catch (error) {
  send({ type: 'error', error: describe(error) });
}
