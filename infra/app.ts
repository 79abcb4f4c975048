import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { explainProtection } from './config/explain.ts';
import { ConfigurationError, loadDeployment } from './config/load.ts';
import { createApp } from './create-app.ts';

/**
 * Synthesizes the app, for `npm run synth`, `npm run deploy` and `npm start`. `DEPLOYMENT` names the configuration (the
 * example without it); `CDK_OUTDIR` the folder of the cloud assembly (`cdk.out` without it).
 */
const buildFolder = mkdtempSync(join(tmpdir(), 'dbms-build-'));
try {
  const deployment = await loadDeployment(process.env.DEPLOYMENT ?? 'infra/config/example.ts');
  const { stacks, directory } = createApp(deployment, {
    buildFolder,
    outdir: process.env.CDK_OUTDIR ?? 'cdk.out',
  }).synth();
  for (const line of explainProtection(deployment)) console.log(line);
  console.log(`Synthesized ${stacks.map(({ stackName }) => stackName).join(', ')} into ${directory}`);
} catch (error) {
  // What is wrong with a configuration is the whole message; a stack trace would only hide it.
  console.error(error instanceof ConfigurationError ? error.message : error);
  process.exitCode = 1;
} finally {
  rmSync(buildFolder, { recursive: true, force: true });
}
