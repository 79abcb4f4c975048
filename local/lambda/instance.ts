import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { LogFile } from './logs.ts';
import type { FromInstance, FunctionError, InvocationContext, ToInstance } from './protocol.ts';

const runtimePath = fileURLToPath(new URL('./runtime.ts', import.meta.url));

/** How one invocation ended; payloads are JSON texts. */
export type Outcome =
  | { readonly ok: true; readonly payload: string }
  | { readonly ok: false; readonly error: FunctionError };

/** One running copy of a function: a process that answers one invocation at a time. */
export type Instance = {
  /** `seconds` run from the moment the handler is loaded, as a cold start has its own time on Lambda. */
  readonly invoke: (payload: string, context: Omit<InvocationContext, 'deadline'>, seconds: number) => Promise<Outcome>;
  /** false once the process is gone or must not be used again. */
  readonly alive: () => boolean;
  readonly kill: () => Promise<void>;
};

/** Starts a function instance. It has its own process group, so that a key press in the terminal does not reach it. */
export function startInstance(options: {
  taskRoot: string;
  environment: Record<string, string>;
  memoryMegabytes: number;
  log: LogFile;
}): Instance {
  const child: ChildProcess = fork(runtimePath, {
    cwd: options.taskRoot,
    env: options.environment,
    // As Lambda does: the heap ends before the function's memory, so that a leak shows here as it would there.
    execArgv: [`--max-old-space-size=${Math.max(64, Math.floor(options.memoryMegabytes * 0.9))}`],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    detached: true,
  });
  child.stdout?.setEncoding('utf8').on('data', options.log);
  child.stderr?.setEncoding('utf8').on('data', options.log);

  let alive = true;
  let waiting: ((message: FromInstance) => void) | null = null;
  let last: FromInstance | null = null;
  const answer = (message: FromInstance) => {
    const resolve = waiting;
    waiting = null;
    if (resolve) resolve(message);
    else last = message;
  };
  const next = () =>
    new Promise<FromInstance>((resolve) => {
      const early = last;
      last = null;
      if (early) resolve(early);
      else waiting = resolve;
    });
  child.on('message', (message) => answer(message as FromInstance));
  child.on('error', (error) => ended(error.message));
  child.on('exit', (code, signal) => ended(code === null ? `signal: ${signal}` : `exit status ${code}`));

  function ended(how: string): void {
    alive = false;
    answer({
      type: 'error',
      error: { errorType: 'Runtime.ExitError', errorMessage: `Runtime exited with error: ${how}` },
    });
  }

  const ready = next();

  async function kill(): Promise<void> {
    alive = false;
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
    const gone = once(child, 'exit');
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch {
      child.kill('SIGKILL');
    }
    await gone;
  }

  async function invoke(
    payload: string,
    context: Omit<InvocationContext, 'deadline'>,
    seconds: number,
  ): Promise<Outcome> {
    const initializing = setTimeout(() => void kill(), 60_000);
    const initial = await ready;
    clearTimeout(initializing);
    if (initial.type === 'error') {
      await kill();
      return { ok: false, error: initial.error };
    }
    if (!alive)
      return {
        ok: false,
        error: { errorType: 'Runtime.ExitError', errorMessage: 'Runtime exited before the invocation' },
      };
    const reply = next();
    const timer = setTimeout(() => {
      alive = false;
      answer({
        type: 'error',
        error: {
          errorType: 'Sandbox.Timedout',
          errorMessage: `RequestId: ${context.requestId} Error: Task timed out after ${seconds.toFixed(2)} seconds`,
        },
      });
      void kill();
    }, seconds * 1000);
    child.send({
      type: 'invoke',
      payload,
      context: { ...context, deadline: Date.now() + seconds * 1000 },
    } satisfies ToInstance);
    const message = await reply;
    clearTimeout(timer);
    if (message.type === 'error') return { ok: false, error: message.error };
    return message.type === 'result'
      ? { ok: true, payload: message.payload }
      : { ok: false, error: { errorType: 'Runtime.Unknown', errorMessage: 'No answer' } };
  }

  return { invoke, alive: () => alive, kill };
}
