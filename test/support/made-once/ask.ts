import { inject } from 'vitest';
import '../made-once.setup.ts';

/**
 * What the run makes once for all files that ask for it.
 *
 * @throws Error with the reason, which is its cause too, when it cannot be made
 */
export async function askFor<Made>(source: 'servers' | 'bundles' | 'assemblies', name = ''): Promise<Made> {
  const response = await fetch(`${inject('broker')}/${source}`, { method: 'POST', body: name });
  const answer = await response.json();
  if (!response.ok) throw new Error(`The tests cannot have their ${source}: ${answer}`, { cause: answer });
  return answer as Made;
}
