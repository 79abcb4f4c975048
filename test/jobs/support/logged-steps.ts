import type { DurableSteps } from '../../../shared/jobs/attempts.ts';

/** Steps that run at once, with a log of what was asked for. `ends`: names of steps in whose middle the function is ended. */
export function loggedSteps(ends: readonly string[] = []): DurableSteps & { log: string[] } {
  const log: string[] = [];
  return {
    log,
    step: async (name, work) => {
      log.push(name);
      const result = await work();
      if (ends.includes(name)) throw new Error('The step was interrupted');
      return result;
    },
    audited: (_name, work) => work(),
    wait: async (name, seconds) => {
      log.push(`${name} ${seconds}`);
    },
  };
}
