import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { FunctionLogs } from '../events/function-logs.ts';
import type { FunctionVersion } from '../template/functions.ts';
import { region } from '../template/identities.ts';
import type { Concurrency } from './concurrency.ts';
import { LambdaServiceError } from './errors.ts';
import { type Instance, type Outcome, startInstance } from './instance.ts';
import { realizeLayers, relocateOpt } from './layers.ts';
import { openLogFile } from './logs.ts';
import { reportLine, reportOf } from './reports.ts';

export type PoolOptions = {
  readonly stateFolder: string;
  /** Addresses and credentials of the AWS stand-ins, as environment variables. */
  readonly awsEnvironment: () => Readonly<Record<string, string>>;
  /** Seconds in place of the template's timeout. */
  readonly timeoutSeconds?: number | undefined;
  /** Of all functions together. */
  readonly concurrency: Concurrency;
  readonly idleSeconds?: number;
  /** Takes the lines of the function's log, and how its invocations end. */
  readonly logs?: Pick<FunctionLogs, 'line' | 'report' | 'throttled'> | undefined;
};

/** All running copies of one version of a function. */
export type FunctionPool = {
  /**
   * Runs one invocation in a warm instance or a new one, once there is a place for it.
   *
   * @throws LambdaServiceError (throttled) beyond the concurrency of the function or the account, where `wait` is false.
   */
  readonly invoke: (
    payload: string,
    qualifier: string,
    options: { wait: boolean; requestId?: string },
  ) => Promise<Outcome>;
  /** Ends every instance, busy ones in the middle of their work. */
  readonly kill: () => Promise<void>;
  /** Lets busy instances end their work; nothing new starts. */
  readonly retire: () => Promise<void>;
  /** As {@link kill}, and no invocation starts any more. */
  readonly close: () => Promise<void>;
  readonly busy: () => number;
};

/** @param version its number, or `$LATEST` */
export function createPool(definition: FunctionVersion, version: string, options: PoolOptions): FunctionPool {
  const log = openLogFile(join(options.stateFolder, 'logs', `${definition.name}.log`));
  const idleMilliseconds = (options.idleSeconds ?? 300) * 1000;
  const instances = new Set<Instance>();
  const idle: { instance: Instance; timer: NodeJS.Timeout }[] = [];
  let busy = 0;
  let closed = false;
  let retired = false;

  function environment(): Record<string, string> {
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

  function take(): Instance {
    const warm = idle.pop();
    if (warm) {
      clearTimeout(warm.timer);
      if (warm.instance.alive()) return warm.instance;
      instances.delete(warm.instance);
      return take();
    }
    const lines = inLines((line) => options.logs?.line(definition.name, line));
    const instance = startInstance({
      taskRoot: definition.codePath ?? '',
      environment: environment(),
      memoryMegabytes: definition.memoryMegabytes,
      log: (text) => {
        log(text);
        lines(text);
      },
    });
    instances.add(instance);
    return instance;
  }

  function giveBack(instance: Instance): void {
    if (retired || !instance.alive()) {
      instances.delete(instance);
      void instance.kill();
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
    const leave = await options.concurrency.take(definition.name, wait).catch((error: unknown) => {
      options.logs?.throttled(definition.name);
      throw error;
    });
    busy += 1;
    try {
      if (closed) throw new LambdaServiceError(503, 'ServiceException', 'The local system is stopping');
      return await run(payload, qualifier, requestId);
    } finally {
      busy -= 1;
      leave();
    }
  }

  async function run(payload: string, qualifier: string, requestId: string): Promise<Outcome> {
    const instance = take();
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
      const report = reportOf(requestId, outcome, Date.now() - started);
      const line = reportLine(report, definition.memoryMegabytes);
      log(`${line}\n`);
      options.logs?.line(definition.name, line);
      options.logs?.report(definition.name, report);
      return outcome;
    } finally {
      giveBack(instance);
    }
  }

  async function kill(): Promise<void> {
    for (const { timer } of idle.splice(0)) clearTimeout(timer);
    await Promise.all([...instances].map((instance) => instance.kill()));
    instances.clear();
  }

  async function retire(): Promise<void> {
    retired = true;
    await Promise.all(
      idle.splice(0).map(({ instance, timer }) => {
        clearTimeout(timer);
        instances.delete(instance);
        return instance.kill();
      }),
    );
  }

  async function close(): Promise<void> {
    closed = true;
    await kill();
  }

  return { invoke, kill, retire, close, busy: () => busy };
}

/** A line of a log at most; what is longer is not looked at. */
const MOST_OF_LINE = 1_000_000;

/** Hands on whole lines of a text that comes in pieces. */
function inLines(take: (line: string) => void): (text: string) => void {
  let rest = '';
  return (text) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > MOST_OF_LINE) rest = '';
    for (const line of lines) take(line);
  };
}

/** What a function gets of this machine's own environment. */
function passedOn(): Record<string, string> {
  const names = ['PATH', 'HOME', 'TMPDIR'];
  return Object.fromEntries(
    names.map((name) => [name, process.env[name]]).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}
