import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Source } from './broker.ts';

const run = promisify(execFile);

const script = `
import { bundleFunctions } from './infra/constructs/bundle.ts';
bundleFunctions(process.argv[1], '');
`;

/** The folder of the functions' bundles, which syntheses of the tests copy in place of making their own. */
export function functionBundles(): Source {
  let making: Promise<string> | undefined;

  /** In a process of its own: this one serves the files that run meanwhile. */
  async function make(): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), 'test-bundles-'));
    const { FUNCTION_BUNDLES: _, ...env } = process.env;
    await run(process.execPath, ['--input-type=module', '--eval', script, folder], {
      cwd: join(import.meta.dirname, '../../..'),
      env,
    }).catch(async (error) => {
      await rm(folder, { recursive: true, force: true });
      throw error;
    });
    return folder;
  }

  return {
    get() {
      making ??= make();
      return making;
    },
    async stop() {
      const folder = await making?.catch(() => undefined);
      if (folder) await rm(folder, { recursive: true, force: true });
    },
  };
}
