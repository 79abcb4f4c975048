import { join } from 'node:path';
import { type Execution, type ExecutionEnd, statusOf } from '../durable/model.ts';
import { createDurableService, type DurableService } from '../durable/service.ts';
import { openExecutionStore } from '../durable/store.ts';
import { type StateDisk, unwatchedDisk } from '../state-disk.ts';
import type { FunctionDefinition } from '../template/functions.ts';
import { createAsynchronousQueue } from './asynchronous.ts';
import { type Concurrency, createConcurrency } from './concurrency.ts';
import { type DeadLetters, openDeadLetters } from './dead-letters.ts';
import { invalidParameter, LambdaServiceError, notFound } from './errors.ts';
import type { Outcome } from './instance.ts';
import { createPool, type FunctionPool, type PoolOptions } from './pool.ts';

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
  /** The account's quota of concurrent executions; by default as many as the machine bears. */
  readonly accountConcurrency?: number;
  /** Told of every version that is deleted over the API. */
  readonly versionDeleted?: (functionName: string, version: string) => void;
  /** Told of every start and end of a durable execution. */
  readonly executionChanged?: (execution: Execution) => void;
  /** Takes what functions write into their logs, and how their invocations end. */
  readonly logs?: PoolOptions['logs'];
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

/** A function, as one version of it was published. */
export type Found = { readonly definition: FunctionDefinition; readonly qualifier: string; readonly version: string };

export type InvokeAnswer = {
  readonly outcome: Outcome;
  readonly version: string;
  readonly durableExecutionArn: string | null;
};

/** Lambda, as far as functions of this system and their tests use it. */
export type LambdaService = {
  readonly durable: DurableService;
  readonly concurrency: Pick<Concurrency, 'usage' | 'accountLimit'>;
  readonly functions: () => readonly FunctionDefinition[];
  /** Takes the functions of a new deployment; what runs ends with the version it began with. */
  readonly deploy: (functions: readonly FunctionDefinition[]) => Promise<void>;
  /** Deletes a version. @throws LambdaServiceError when there is none, or an alias stands for it */
  readonly deleteVersion: (nameOrArn: string, version: string | undefined) => Promise<void>;
  /** Runs a function and waits for what it answers. @throws LambdaServiceError */
  readonly invoke: (request: InvokeRequest) => Promise<InvokeAnswer>;
  /** Accepts an event and returns at once. @throws LambdaServiceError when it cannot be accepted. */
  readonly submit: (request: InvokeRequest) => { version: string; durableExecutionArn: string | null };
  readonly find: (nameOrArn: string, qualifier?: string) => Found;
  /** Ends every instance of a function (by name or the beginning of it) in the middle of its work: for tests of failure. */
  readonly kill: (functionName: string) => Promise<void>;
  readonly deadLetters: DeadLetters;
  readonly close: () => Promise<void>;
};

export function createLambdaService(options: LambdaOptions): LambdaService {
  const byName = new Map(options.functions.map((definition) => [definition.name, definition]));
  const pools = new Map<string, FunctionPool>();
  /** Of versions that are gone: what they are at still ends. */
  const retired = new Set<FunctionPool>();
  let closed = false;
  const concurrency = createConcurrency({ accountLimit: options.accountConcurrency });
  const { disk = unwatchedDisk, note = () => {} } = options;
  const deadLetters = openDeadLetters(join(options.stateFolder, 'dead-letters'), note, disk);
  reserve();

  function reserve(): void {
    const reserved = [...byName.values()].flatMap(({ name, reservedConcurrency }) =>
      reservedConcurrency === null ? [] : [[name, reservedConcurrency] as const],
    );
    concurrency.reserve(new Map(reserved));
  }

  function timeoutOf(name: string): number | undefined {
    return Object.entries(options.timeouts ?? {}).find(([prefix]) => name.startsWith(prefix))?.[1];
  }

  function poolOf({ definition, version }: Found): FunctionPool {
    const key = `${definition.name}:${version}`;
    const known = pools.get(key);
    if (known) return known;
    // Such as for an alarm about the instances that closing has just killed.
    if (closed) throw new LambdaServiceError(503, 'ServiceException', 'The local system is stopping');
    const pool = createPool(definition, version, {
      stateFolder: options.stateFolder,
      awsEnvironment: options.awsEnvironment,
      timeoutSeconds: timeoutOf(definition.name),
      concurrency,
      logs: options.logs,
      ...(options.idleSeconds === undefined ? {} : { idleSeconds: options.idleSeconds }),
    });
    pools.set(key, pool);
    return pool;
  }

  function find(nameOrArn: string, given?: string): Found {
    const [name = '', own] = nameOrArn.replace(/^(arn:[^:]+:lambda:[^:]*:)?(\d{12}:)?(function:)?/, '').split(':');
    const qualifier = given ?? own;
    if (given !== undefined && own !== undefined && given !== own)
      throw invalidParameter('The derived qualifier from the function name does not match the specified qualifier.');
    const current = byName.get(name);
    const version = current?.qualifiers.get(qualifier ?? '$LATEST');
    const published =
      version === undefined ? undefined : version === '$LATEST' ? current : current?.versions.get(version);
    if (!current || version === undefined || !published)
      throw notFound(`Function not found: ${nameOrArn}${given === undefined ? '' : `:${given}`}`);
    const definition = { ...current, ...published };
    if (definition.durable && qualifier === undefined)
      throw invalidParameter('You cannot invoke a durable function using an unqualified ARN.');
    return { definition, qualifier: qualifier ?? '$LATEST', version };
  }

  async function deploy(functions: readonly FunctionDefinition[]): Promise<void> {
    byName.clear();
    for (const definition of functions) byName.set(definition.name, definition);
    reserve();
    await Promise.all(
      [...pools.keys()].map(async (key) => {
        const [name = '', version = ''] = key.split(':');
        const isThere = version !== '$LATEST' && byName.get(name)?.versions.has(version);
        if (isThere) return;
        // `$LATEST` is another one now; what it is at ends undisturbed, as on Lambda.
        await retire(key);
      }),
    );
  }

  async function deleteVersion(nameOrArn: string, version: string | undefined): Promise<void> {
    const { definition } = find(nameOrArn, version);
    if (version === undefined || version === '$LATEST' || !/^\d+$/.test(version))
      throw invalidParameter('The local Lambda deletes versions alone, by their numbers.');
    const alias = [...definition.qualifiers].find(([name, number]) => number === version && name !== version);
    if (alias) throw new LambdaServiceError(409, 'ResourceConflictException', `Alias ${alias[0]} points to it.`);
    const { versions, qualifiers, name } = definition;
    const without = <Value>(all: ReadonlyMap<string, Value>) => new Map([...all].filter(([key]) => key !== version));
    const current = byName.get(name);
    if (current) byName.set(name, { ...current, versions: without(versions), qualifiers: without(qualifiers) });
    options.versionDeleted?.(name, version);
    await retire(`${name}:${version}`);
  }

  async function retire(key: string): Promise<void> {
    const pool = pools.get(key);
    if (!pool) return;
    pools.delete(key);
    retired.add(pool);
    await pool.retire();
  }

  const durable = createDurableService({
    store: openExecutionStore(join(options.stateFolder, 'durable'), disk),
    failed: (error) => {
      disk.report(error);
      note(`A durable execution could not go on: ${error instanceof Error ? error.message : String(error)}`);
    },
    invoke: (found, payload, requestId) => poolOf(found).invoke(payload, found.qualifier, { wait: true, requestId }),
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
    // An event waits for its turn; the alias may stand for another version by then.
    invoke: (name, qualifier, payload) => {
      const found = find(name, qualifier);
      return poolOf(found).invoke(payload, found.qualifier, { wait: true });
    },
    configOf: (name, qualifier) => byName.get(name)?.asyncConfigs.get(qualifier),
    deadLetters,
    ...(options.asyncRetryDelaysSeconds === undefined ? {} : { retryDelaysSeconds: options.asyncRetryDelaysSeconds }),
  });

  async function invoke(request: InvokeRequest): Promise<InvokeAnswer> {
    const found = find(request.functionName, request.qualifier);
    const { definition, qualifier, version } = found;
    if (!definition.durable) {
      refuseName(request);
      return {
        outcome: await poolOf(found).invoke(request.payload, qualifier, { wait: false }),
        version,
        durableExecutionArn: null,
      };
    }
    const execution = durable.start(found, {
      name: request.durableExecutionName,
      input: request.payload,
      asynchronous: false,
    });
    return { outcome: outcomeOf(await durable.finished(execution)), version, durableExecutionArn: execution.start.arn };
  }

  function submit(request: InvokeRequest): { version: string; durableExecutionArn: string | null } {
    const found = find(request.functionName, request.qualifier);
    const { definition, qualifier, version } = found;
    if (definition.durable) {
      const execution = durable.start(found, {
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
    concurrency,
    functions: () => [...byName.values()],
    deploy,
    deleteVersion,
    invoke,
    submit,
    find,
    kill: async (functionName) => {
      await Promise.all([...pools].filter(([name]) => name.startsWith(functionName)).map(([, pool]) => pool.kill()));
    },
    deadLetters,
    close: async () => {
      closed = true;
      durable.close();
      queue.close();
      concurrency.close();
      await Promise.all([...pools.values(), ...retired].map((pool) => pool.close()));
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
