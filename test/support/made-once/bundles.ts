import { keptBundles } from '../../../local/bundles.ts';
import type { Source } from './broker.ts';

/** The folder of the functions' bundles, which syntheses of the tests take in place of making their own. */
export function functionBundles(): Source {
  let making: Promise<string> | undefined;

  async function make(): Promise<string> {
    const folder = await keptBundles();
    if (folder === null) throw new Error('node_modules/.cache cannot be written');
    return folder;
  }

  return {
    get() {
      making ??= make();
      return making;
    },
    async stop() {
      await making?.catch(() => undefined);
    },
  };
}
