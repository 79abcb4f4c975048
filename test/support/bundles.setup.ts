import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundleFunctions } from '../../infra/constructs/bundle.ts';

/** Each project loads this module for itself; what is made is shared through the process. */
const shared = globalThis as { testBundles?: { users: number; folder: string } };

/** Bundles the functions once for all syntheses of the tests, in their own and in other processes. */
export default function setup(): () => void {
  if (!shared.testBundles) {
    const folder = mkdtempSync(join(tmpdir(), 'test-bundles-'));
    shared.testBundles = { users: 0, folder };
    bundleFunctions(folder);
    process.env.FUNCTION_BUNDLES = folder;
  }
  const state = shared.testBundles;
  state.users += 1;
  return () => {
    state.users -= 1;
    if (state.users > 0) return;
    delete shared.testBundles;
    delete process.env.FUNCTION_BUNDLES;
    rmSync(state.folder, { recursive: true, force: true });
  };
}
