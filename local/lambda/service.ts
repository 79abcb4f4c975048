import { join } from 'node:path';
import { type Execution, type ExecutionEnd, statusOf } from '../durable/model.ts';
import { createDurableService, type DurableService } from '../durable/service.ts';
import { openExecutionStore } from '../durable/store.ts';
import { type StateDisk, unwatchedDisk } from '../state-disk.ts';
import type { FunctionDefinition } from '../template/functions.ts';
import { createAsynchronousQueue } from './asynchronous.ts';
import { type DeadLetters, openDeadLetters } from './dead-letters.ts';
import { invalidParameter, notFound } from './errors.ts';
import type { Outcome } from './instance.ts';
import { createPool, type FunctionPool } from './pool.ts';

export type LambdaOptions = {
  readonly stateFolder: string;
  readonly functions: readonly FunctionDefinition[];
  readonly awsEnvironment: () => Readonly<Record<string, string>>;
  /** Seconds in place of the template's timeout, by function name or the beginning of it. */
  readonly timeouts?: Readonly<Record<string, number>>;
  readonly asyncRetryDelaysSeconds?: readonly number[];
  readonly durableRetryMilliseconds?: number;
  readonly durableWaitShare?: number;
  readonly idleSeconds?: number;
  /** Told of every start and end of a durable execution. */
  readonly executionChanged?: (execution: Execution) => void;
  /** What an operator of this system should read. */
  readonly note?: (text: string) => void;
  /** Told of writes that fail. */
  readonly disk?: StateDisk;
};

export type InvokeRequest = {
  /** Name, partial or full ARN, with or without a qualifier. */
  readonly functionName: string;
  readonly qualifier?: string | undefined;
  readonly payload: string;
  readonly durableExecutionName?: string | undefined;
};

export type InvokeAnswer = {
  readonly outcome: Outcome;
  readonly version: string;
  readonly durableExecutionArn: string | null;
};

/** Lambda, as far as functions of this system and their tests use it. */
export type LambdaService = {
  readonly durable: DurableService;
  readonly functions: readonly FunctionDefinition[];
  /** Runs a function and waits for what it answers. @throws LambdaServiceError */
  readonly invoke: (request: InvokeRequest) => Promise<InvokeAnswer>;
  /** Accepts an event and returns at once. @throws LambdaServiceError when it cannot be accepted. */
  readonly submit: (request: InvokeRequest) => { version: string; durableExecutionArn: string | null };
  readonly find: (nameOrArn: string, qualifier?: string) => { definition: FunctionDefinition; qualifier: string };
  /** Ends every instance of a function (by name or the beginning of it) in the middle of its work: for tests of failure. */
  readonly kill: (functionName: string) => Promise<void>;
  readonly deadLetters: DeadLetters;
  readonly close: () => Promise<void>;
};

export function createLambdaService(options: LambdaOptions): LambdaService {
  const byName = new Map(options.functions.map((definition) => [definition.name, definition]));
  const pools = new Map<string, FunctionPool>();
  const { disk = unwatchedDisk, note = () => {} } = options;
  const deadLetters = openDeadLetters(join(options.stateFolder, 'dead-letters'), note, disk);

  function timeoutOf(name: string): number | undefined {
    return Object.entries(options.timeouts ?? {}).find(([prefix]) => name.startsWith(prefix))?.[1];
  }

  function poolOf(definition: FunctionDefinition): FunctionPool {
    const known = pools.get(definition.name);
    if (known) return known;
    const pool = createPool(definition, {
      stateFolder: options.stateFolder,
      awsEnvironment: options.awsEnvironment,
      timeoutSeconds: timeoutOf(definition.name),
      ...(options.idleSeconds === undefined ? {} : { idleSeconds: options.idleSeconds }),
    });
    pools.set(definition.name, pool);
    return pool;
  }

  function find(nameOrArn: string, given?: string): { definition: FunctionDefinition; qualifier: string } {
    const [name = '', own] = nameOrArn.replace(/^(arn:[^:]+:lambda:[^:]*:)?(\d{12}:)?(function:)?/, '').split(':');
    const qualifier = given ?? own;
    if (given !== undefined && own !== undefined && given !== own)
      throw invalidParameter('The derived qualifier from the function name does not match the specified qualifier.');
    const definition = byName.get(name);
    if (!definition?.qualifiers.has(qualifier ?? '$LATEST')) {
      throw notFound(`Function not found: ${nameOrArn}${given === undefined ? '' : `:${given}`}`);
    }
    if (definition.durable && qualifier === undefined)
      throw invalidParameter('You cannot invoke a durable function using an unqualified ARN.');
    return { definition, qualifier: qualifier ?? '$LATEST' };
  }

  const durable = createDurableService({
    store: openExecutionStore(join(options.stateFolder, 'durable'), disk),
    failed: (error) => {
      disk.report(error);
      note(`A durable execution could not go on: ${error instanceof Error ? error.message : String(error)}`);
    },
    invoke: (definition, qualifier, payload, requestId) =>
      poolOf(definition).invoke(payload, qualifier, { wait: true, requestId }),
    find,
    statusChanged: (execution) => {
      options.executionChanged?.(execution);
      if (execution.end) keepFailure(execution, execution.end);
    },
    ...(options.durableRetryMilliseconds === undefined ? {} : { retryMilliseconds: options.durableRetryMilliseconds }),
    ...(options.durableWaitShare === undefined ? {} : { waitShare: options.durableWaitShare }),
  });

  function keepFailure({ start }: Execution, { status, error }: ExecutionEnd): void {
    const definition = byName.get(start.functionName);
    if (!start.asynchronous || !definition?.deadLetterArn || status === 'SUCCEEDED' || status === 'STOPPED') return;
    deadLetters(definition.deadLetterArn, {
      functionArn: start.functionArn,
      payload: start.input,
      errorType: error?.ErrorType ?? status,
      errorMessage: error?.ErrorMessage ?? '',
    });
  }

  const queue = createAsynchronousQueue({
    invoke: (definition, qualifier, payload) => poolOf(definition).invoke(payload, qualifier, { wait: true }),
    deadLetters,
    ...(options.asyncRetryDelaysSeconds === undefined ? {} : { retryDelaysSeconds: options.asyncRetryDelaysSeconds }),
  });

  async function invoke(request: InvokeRequest): Promise<InvokeAnswer> {
    const { definition, qualifier } = find(request.functionName, request.qualifier);
    const version = definition.qualifiers.get(qualifier) ?? qualifier;
    if (!definition.durable) {
      refuseName(request);
      return {
        outcome: await poolOf(definition).invoke(request.payload, qualifier, { wait: false }),
        version,
        durableExecutionArn: null,
      };
    }
    const execution = durable.start(definition, qualifier, {
      name: request.durableExecutionName,
      input: request.payload,
      asynchronous: false,
    });
    return { outcome: outcomeOf(await durable.finished(execution)), version, durableExecutionArn: execution.start.arn };
  }

  function submit(request: InvokeRequest): { version: string; durableExecutionArn: string | null } {
    const { definition, qualifier } = find(request.functionName, request.qualifier);
    const version = definition.qualifiers.get(qualifier) ?? qualifier;
    if (definition.durable) {
      const execution = durable.start(definition, qualifier, {
        name: request.durableExecutionName,
        input: request.payload,
        asynchronous: true,
      });
      return { version, durableExecutionArn: execution.start.arn };
    }
    refuseName(request);
    queue.submit(definition, qualifier, request.payload);
    return { version, durableExecutionArn: null };
  }

  return {
    durable,
    functions: options.functions,
    invoke,
    submit,
    find,
    kill: async (functionName) => {
      await Promise.all([...pools].filter(([name]) => name.startsWith(functionName)).map(([, pool]) => pool.kill()));
    },
    deadLetters,
    close: async () => {
      durable.close();
      queue.close();
      await Promise.all([...pools.values()].map((pool) => pool.close()));
    },
  };
}

function refuseName({ durableExecutionName }: InvokeRequest): void {
  if (durableExecutionName !== undefined)
    throw invalidParameter('A durable execution name was given for a function that is not durable.');
}

function outcomeOf({ status, result, error }: ExecutionEnd): Outcome {
  if (status === 'SUCCEEDED') return { ok: true, payload: result ?? 'null' };
  return {
    ok: false,
    error: {
      errorType: error?.ErrorType ?? `DurableExecution.${status}`,
      errorMessage: error?.ErrorMessage ?? `The durable execution ended ${status}`,
      trace: error?.StackTrace ?? [],
    },
  };
}

/** The EventBridge event that Lambda sends when a durable execution starts or ends. */
export function statusChangeEvent(execution: Execution): {
  source: string;
  detailType: string;
  resources: string[];
  detail: Record<string, unknown>;
} {
  const { start, end } = execution;
  return {
    source: 'aws.lambda',
    detailType: 'Durable Execution Status Change',
    resources: [start.functionArn],
    detail: {
      durableExecutionArn: start.arn,
      durableExecutionName: start.name,
      functionArn: start.functionArn,
      status: statusOf(execution),
      startTimestamp: new Date(start.startedAt).toISOString(),
      ...(end ? { endTimestamp: new Date(end.endedAt).toISOString() } : {}),
    },
  };
}
