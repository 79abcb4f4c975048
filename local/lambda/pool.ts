import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { FunctionDefinition } from '../template/functions.ts';
import { region } from '../template/identities.ts';
import { LambdaServiceError } from './errors.ts';
import { type Instance, type Outcome, startInstance } from './instance.ts';
import { realizeLayers, relocateOpt } from './layers.ts';
import { openLogFile } from './logs.ts';

export type PoolOptions = {
  readonly stateFolder: string;
  /** Addresses and credentials of the AWS stand-ins, as environment variables. */
  readonly awsEnvironment: () => Readonly<Record<string, string>>;
  /** Seconds in place of the template's timeout. */
  readonly timeoutSeconds?: number | undefined;
  /** Instances at the same time, where the function reserves no concurrency. */
  readonly maximumInstances?: number;
  readonly idleSeconds?: number;
};

/** All running copies of one function. */
export type FunctionPool = {
  /**
   * Runs one invocation in a warm instance or a new one; waits while all are busy.
   *
   * @throws LambdaServiceError (throttled) beyond the reserved concurrency, where `wait` is false.
   */
  readonly invoke: (
    payload: string,
    qualifier: string,
    options: { wait: boolean; requestId?: string },
  ) => Promise<Outcome>;
  /** Ends every instance, busy ones in the middle of their work. */
  readonly kill: () => Promise<void>;
  /** As {@link kill}, and no invocation starts any more. */
  readonly close: () => Promise<void>;
  readonly busy: () => number;
};

export function createPool(definition: FunctionDefinition, options: PoolOptions): FunctionPool {
  const log = openLogFile(join(options.stateFolder, 'logs', `${definition.name}.log`));
  const limit = definition.reservedConcurrency ?? options.maximumInstances ?? 16;
  const idleMilliseconds = (options.idleSeconds ?? 300) * 1000;
  const instances = new Set<Instance>();
  const idle: { instance: Instance; timer: NodeJS.Timeout }[] = [];
  const waiting: (() => void)[] = [];
  let busy = 0;
  let closed = false;

  function environment(version: string): Record<string, string> {
    const opt = realizeLayers(definition.layers, join(options.stateFolder, 'opt'));
    return {
      ...passedOn(),
      ...relocateOpt(definition.environment, opt),
      ...options.awsEnvironment(),
      // By which the stand-ins tell whose role it is.
      AWS_ACCESS_KEY_ID: definition.name,
      ...(opt === null
        ? {}
        : { NODE_PATH: [join(opt, 'nodejs/node24/node_modules'), join(opt, 'nodejs/node_modules')].join(':') }),
      TZ: 'UTC',
      LANG: 'en_US.UTF-8',
      AWS_REGION: region,
      AWS_DEFAULT_REGION: region,
      AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x',
      AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
      AWS_LAMBDA_FUNCTION_NAME: definition.name,
      AWS_LAMBDA_FUNCTION_VERSION: version,
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(definition.memoryMegabytes),
      AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/${definition.name}`,
      AWS_LAMBDA_LOG_STREAM_NAME: `local/[${version}]${randomUUID().replaceAll('-', '')}`,
      LAMBDA_TASK_ROOT: definition.codePath ?? '',
      _HANDLER: definition.handler,
    };
  }

  function take(version: string): Instance {
    const warm = idle.pop();
    if (warm) {
      clearTimeout(warm.timer);
      if (warm.instance.alive()) return warm.instance;
      instances.delete(warm.instance);
      return take(version);
    }
    const instance = startInstance({
      taskRoot: definition.codePath ?? '',
      environment: environment(version),
      memoryMegabytes: definition.memoryMegabytes,
      log,
    });
    instances.add(instance);
    return instance;
  }

  function giveBack(instance: Instance): void {
    if (!instance.alive()) {
      instances.delete(instance);
      return;
    }
    const timer = setTimeout(() => {
      const index = idle.findIndex((each) => each.instance === instance);
      if (index >= 0) idle.splice(index, 1);
      instances.delete(instance);
      void instance.kill();
    }, idleMilliseconds);
    timer.unref();
    idle.push({ instance, timer });
  }

  async function invoke(
    payload: string,
    qualifier: string,
    { wait, requestId = randomUUID() }: { wait: boolean; requestId?: string },
  ): Promise<Outcome> {
    if (definition.codePath === null) {
      throw new LambdaServiceError(
        502,
        'InvalidRuntimeException',
        `${definition.name} has no Node.js bundle in the synthesized app, so it does not run locally`,
      );
    }
    if (busy >= limit) {
      if (definition.reservedConcurrency !== null && (!wait || limit === 0)) {
        throw new LambdaServiceError(429, 'TooManyRequestsException', 'Rate Exceeded.');
      }
      await new Promise<void>((resolve) => waiting.push(resolve));
    } else {
      busy += 1;
    }
    if (closed) throw new LambdaServiceError(503, 'ServiceException', 'The local system is stopping');
    const version = definition.qualifiers.get(qualifier) ?? '$LATEST';
    const instance = take(version);
    const seconds = options.timeoutSeconds ?? definition.timeoutSeconds;
    const started = Date.now();
    log(`START RequestId: ${requestId} Version: ${version}\n`);
    try {
      const outcome = await instance.invoke(
        payload,
        {
          requestId,
          invokedFunctionArn: qualifier === '$LATEST' ? definition.arn : `${definition.arn}:${qualifier}`,
          functionVersion: version,
        },
        seconds,
      );
      log(
        `END RequestId: ${requestId} Duration: ${Date.now() - started} ms${outcome.ok ? '' : ` ${outcome.error.errorType}: ${outcome.error.errorMessage}`}\n`,
      );
      return outcome;
    } finally {
      giveBack(instance);
      // The place goes straight to the next in line, who therefore does not count itself again.
      const following = waiting.shift();
      if (following) following();
      else busy -= 1;
    }
  }

  async function kill(): Promise<void> {
    for (const { timer } of idle.splice(0)) clearTimeout(timer);
    await Promise.all([...instances].map((instance) => instance.kill()));
    instances.clear();
  }

  async function close(): Promise<void> {
    closed = true;
    for (const resume of waiting.splice(0)) resume();
    await kill();
  }

  return { invoke, kill, close, busy: () => busy };
}

/** What a function gets of this machine's own environment. */
function passedOn(): Record<string, string> {
  const names = ['PATH', 'HOME', 'TMPDIR'];
  return Object.fromEntries(
    names.map((name) => [name, process.env[name]]).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}
