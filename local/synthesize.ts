import { spawn } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { keptBundles } from './bundles.ts';
import { closeBelow } from './private-folder.ts';

const projectFolder = fileURLToPath(new URL('..', import.meta.url));

/**
 * Synthesizes the CDK app for a deployment configuration, in a process of its own.
 *
 * @returns the folder of the cloud assembly.
 * @throws Error with what the app said when it refuses the configuration.
 */
export async function synthesize(options: {
  stateFolder: string;
  deployment: Record<string, unknown>;
  signal?: AbortSignal | undefined;
}): Promise<string> {
  const deploymentPath = join(options.stateFolder, 'deployment.json');
  const cdkOut = join(options.stateFolder, 'cdk.out');
  writeFileSync(deploymentPath, JSON.stringify(options.deployment, null, 2), { mode: 0o600 });
  rmSync(cdkOut, { recursive: true, force: true });
  const bundles = process.env.FUNCTION_BUNDLES ?? (await keptBundles(options.signal));
  const child = spawn(process.execPath, ['infra/app.ts'], {
    cwd: projectFolder,
    env: {
      // CDK's checks of the template, against CloudFormation's schemas and against cdk-nag's rules, are for deployments.
      CDK_VALIDATION: 'false',
      // Twenty megabytes that take a second to compile; where the folder cannot be written, Node goes without.
      NODE_COMPILE_CACHE: join(projectFolder, 'node_modules/.cache/compiled'),
      ...process.env,
      ...(bundles ? { FUNCTION_BUNDLES: bundles, CDK_CONTEXT_JSON: '{"bundles-stay":true}' } : {}),
      DEPLOYMENT: deploymentPath,
      CDK_OUTDIR: cdkOut,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(options.signal ? { signal: options.signal } : {}),
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-20_000);
    });
  }
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  if (code !== 0) throw new Error(`The CDK app could not be synthesized:\n${said.trim()}`);
  // Assets are copied with the modes of their sources.
  closeBelow(cdkOut);
  return cdkOut;
}
