import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { LambdaClient } from '@aws-sdk/client-lambda';
import { AccountError, checkAccount } from '../infra/account/check-account.ts';
import { ConfigurationError, loadDeployment } from '../infra/config/load.ts';

const usage = `DEPLOYMENT=my-deployment.ts npm run deploy [-- options of cdk deploy]
DEPLOYMENT=my-deployment.ts npm run check-account

Deploys the configuration, or only compares it with the account: npm run check-account changes nothing.`;

const [, , ...given] = process.argv;
const isCheck = given[0] === '--check-account';

/** @returns the exit status of `cdk deploy` */
async function deploy(options: readonly string[]): Promise<number> {
  const cdk = fileURLToPath(new URL('../node_modules/.bin/cdk', import.meta.url));
  const child = spawn(cdk, ['deploy', '--all', ...options], { stdio: 'inherit' });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve(code ?? 1));
  });
}

try {
  const path = process.env.DEPLOYMENT;
  if (given.includes('--help')) console.log(usage);
  else if (!path) {
    // Without it the app is synthesized from the example, which is nobody's account.
    throw new ConfigurationError(
      `DEPLOYMENT is not set. Write a configuration with npm run init, and then:\n\n${usage}`,
    );
  } else {
    const deployment = await loadDeployment(path);
    const client = new LambdaClient({
      ...(deployment.region === undefined ? {} : { region: deployment.region }),
      maxAttempts: 3,
      requestHandler: { connectionTimeout: 5_000, requestTimeout: 15_000, throwOnRequestTimeout: true },
    });
    for (const note of await checkAccount(deployment, client)) console.log(note);
    client.destroy();
    if (!isCheck) process.exitCode = await deploy(given);
  }
} catch (error) {
  const isKnown = error instanceof ConfigurationError || error instanceof AccountError;
  console.error(isKnown ? error.message : error);
  process.exitCode = 1;
}
