import { type ChildProcess, fork } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Source } from './broker.ts';
import type { Answered, Asked } from './synthesizer.ts';

/**
 * Cloud assemblies by their configurations in JSON, each synthesized once for all files, by one process that goes on running. The
 * checks of cdk-nag and of CloudFormation's schemas are left out, which take ten times as long as all the rest: `npm run synth`
 * makes them, which `.ci/run` runs beside the tests.
 */
export function assemblies(bundles: Source): Source {
  const made = new Map<string, Promise<string>>();
  const waiting = new Map<number, (answer: Answered) => void>();
  let started: Promise<{ child: ChildProcess; root: string }> | undefined;
  let count = 0;

  async function start() {
    const root = await mkdtemp(join(tmpdir(), 'test-assemblies-'));
    const child = fork(join(import.meta.dirname, 'synthesizer.ts'), {
      cwd: join(import.meta.dirname, '../../..'),
      execArgv: [],
      env: { ...process.env, CDK_VALIDATION: 'false', FUNCTION_BUNDLES: String(await bundles.get('')) },
    });
    child.on('message', (answer: Answered) => waiting.get(answer.id)?.(answer));
    child.on('exit', (code, signal) => {
      for (const [id, answer] of waiting) answer({ id, problem: `The synthesizer ended with ${code ?? signal}` });
    });
    return { child, root };
  }

  /** @returns the folder of the assembly, outside the repository: no `node_modules` can be found from there */
  async function make(configuration: string): Promise<string> {
    started ??= start();
    const { child, root } = await started;
    const id = count++;
    const folder = join(root, String(id));
    const asked: Asked = {
      id,
      input: JSON.parse(configuration),
      buildFolder: join(folder, 'build'),
      outdir: join(folder, 'cdk.out'),
      assets: join(root, 'assets'),
    };
    const { problem } = await new Promise<Answered>((resolve, reject) => {
      waiting.set(id, resolve);
      child.send(asked, (error) => error && reject(error));
    });
    waiting.delete(id);
    await rm(asked.buildFolder, { recursive: true, force: true });
    if (problem !== undefined) throw new Error(problem);
    return asked.outdir;
  }

  return {
    get(configuration) {
      const making = made.get(configuration) ?? make(configuration);
      made.set(configuration, making);
      return making;
    },
    async stop() {
      const running = await started?.catch(() => undefined);
      if (!running) return;
      const { child, root } = running;
      if (child.exitCode === null && child.signalCode === null) {
        const ended = new Promise((resolve) => child.once('exit', resolve));
        child.kill('SIGKILL');
        await ended;
      }
      await rm(root, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
