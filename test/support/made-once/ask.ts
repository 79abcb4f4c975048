import { inject } from 'vitest';
import '../made-once.setup.ts';

/**
 * What the run makes once for all files that ask for it.
 *
 * @throws Error with the reason when it cannot be made
 */
export async function askFor<Made>(source: 'servers' | 'bundles', name = ''): Promise<Made> {
  const response = await fetch(`${inject('broker')}/${source}/${name}`);
  const answer = await response.json();
  if (!response.ok) throw new Error(`The tests cannot have their ${source}: ${answer}`);
  return answer as Made;
}
