import { existsSync, linkSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { checkDeployment } from '../../../infra/config/load.ts';
import { createApp } from '../../../infra/create-app.ts';

/** What assemblies.ts asks for. */
export interface Asked {
  readonly id: number;
  readonly input: unknown;
  readonly buildFolder: string;
  readonly outdir: string;
  /** Keeps the assets, which most assemblies have in common. */
  readonly assets: string;
}

/** What is answered; `problem` is why there is no assembly. */
export interface Answered {
  readonly id: number;
  readonly problem?: string;
}

/** Synthesizes one configuration after another: the CDK is loaded once. */
process.on('message', ({ id, input, buildFolder, outdir, assets }: Asked) => {
  const problem = problemOf(() => {
    createApp(checkDeployment(input, 'test'), { buildFolder, outdir }).synth();
    shareAssets(outdir, assets);
  });
  process.send?.({ id, ...(problem === null ? {} : { problem }) } satisfies Answered);
});
process.on('disconnect', () => process.exit(0));

/** CDK throws nothing when a rule of cdk-nag is broken: it prints a report and has the process end with 1. */
function problemOf(synthesize: () => unknown): string | null {
  const said: string[] = [];
  const { error } = console;
  console.error = (...parts: unknown[]) => void said.push(parts.join(' '));
  process.exitCode = 0;
  try {
    synthesize();
    return process.exitCode === 0 ? null : said.join('\n');
  } catch (thrown) {
    return [thrown instanceof Error ? thrown.message : String(thrown), ...said].join('\n');
  } finally {
    console.error = error;
    process.exitCode = 0;
  }
}

/** Leaves each asset on the disk once: assemblies have a hundred megabytes of them. */
function shareAssets(outdir: string, assets: string): void {
  mkdirSync(assets, { recursive: true });
  const entries = readdirSync(outdir, { withFileTypes: true });
  for (const { name } of entries.filter((each) => each.isDirectory() && each.name.startsWith('asset.'))) {
    const [own, shared] = [join(outdir, name), join(assets, name)];
    if (existsSync(shared)) rmSync(own, { recursive: true });
    else renameSync(own, shared);
    linkAll(shared, own);
  }
}

function linkAll(from: string, to: string): void {
  mkdirSync(to);
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) linkAll(source, target);
    else linkSync(source, target);
  }
}
