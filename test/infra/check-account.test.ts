import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import example from '../../infra/config/example.ts';
import type { DeploymentInput } from '../../infra/config/schema.ts';
import type { Listening } from '../../local/aws/http.ts';
import { serveLambda } from '../../local/lambda/server.ts';
import { createLambdaService, type LambdaService } from '../../local/lambda/service.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'account-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let account: { lambda: LambdaService; server: Listening } | null = null;
afterEach(async () => {
  await account?.lambda.close();
  await account?.server.close();
  account = null;
});

/** The local Lambda as the account, with a quota of its own. @returns its address */
async function accountWith(accountConcurrency: number): Promise<string> {
  const lambda = createLambdaService({
    stateFolder: folder,
    functions: [],
    awsEnvironment: () => ({}),
    accountConcurrency,
  });
  account = { lambda, server: await serveLambda(lambda) };
  return account.server.url;
}

/** Runs `npm run deploy` or `npm run check-account`, with no more of an environment than a fresh terminal has. */
async function run(
  command: 'deploy' | 'check-account',
  configuration: DeploymentInput | null,
  endpoint?: string,
  options: readonly string[] = [],
) {
  const path = join(folder, 'deployment.json');
  if (configuration) writeFileSync(path, JSON.stringify(configuration));
  const child = spawn('npm', ['run', '-s', command, '--', ...options], {
    cwd: root,
    env: {
      PATH: process.env.PATH,
      HOME: folder,
      CI: 'true',
      NO_COLOR: '1',
      AWS_EC2_METADATA_DISABLED: 'true',
      ...(configuration ? { DEPLOYMENT: path } : {}),
      ...(endpoint
        ? { AWS_ENDPOINT_URL_LAMBDA: endpoint, AWS_ACCESS_KEY_ID: 'local', AWS_SECRET_ACCESS_KEY: 'local' }
        : {}),
    },
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (said += text));
  const status = await new Promise((resolve) => child.on('close', resolve));
  return { status, said };
}

describe('npm run check-account', () => {
  it('says how the quota of a new account is shared, and how to get more', async () => {
    const { status, said } = await run('check-account', example, await accountWith(10));
    expect(said).toContain(
      'Concurrent executions in eu-central-1: the account has 10, the configuration counts on 10: 2 jobs at the same time, 4 workers of large backups, 4 kept free',
    );
    expect(said).toContain('aws service-quotas request-service-quota-increase --region eu-central-1');
    expect(status).toBe(0);
  });

  it('refuses a configuration that counts on more than the account has', async () => {
    const counting = { ...example, concurrency: { quota: 1000 } };
    const { status, said } = await run('check-account', counting, await accountWith(10));
    expect(said).toMatch(/counts on 1000 concurrent executions of functions, and the account has 10 in eu-central-1/);
    expect(said).toContain('Set concurrency.quota to 10');
    expect(status).toBe(1);
  });

  it('says that more could run where the account has more', async () => {
    const { said } = await run('check-account', example, await accountWith(1000));
    expect(said).toContain('With concurrency.quota: 1000 more jobs run at the same time');
  });
});

describe('npm run deploy', () => {
  it('ends in words where it needs credentials, before anything is deployed', async () => {
    const { status, said } = await run('deploy', example);
    expect(said).toContain('There are no AWS credentials that can be used');
    expect(said).toContain('Nothing was deployed.');
    expect(said).not.toMatch(/\n\s+at /);
    expect(status).toBe(1);
  });

  it('asks for a configuration in place of deploying the example', async () => {
    const { status, said } = await run('deploy', null);
    expect(said).toContain('DEPLOYMENT is not set. Write a configuration with npm run init');
    expect(status).toBe(1);
  });

  it('names what is wrong with a configuration', async () => {
    const { status, said } = await run('deploy', {
      ...example,
      concurrency: { quota: 10, reserved: { authorizer: 2 } },
    });
    expect(said).toContain('concurrency.reserved: comes to 2, but Lambda keeps 100 of the quota of 10 unreserved');
    expect(status).toBe(1);
  });

  it('hands over to the command line of CDK once the account is checked, with its options', async () => {
    const { status, said } = await run('deploy', example, await accountWith(10), ['--version']);
    const { version } = createRequire(import.meta.url)('aws-cdk/package.json') as { version: string };
    expect(said).toContain('Concurrent executions in eu-central-1');
    expect(said.trim().split('\n').at(-1)).toMatch(new RegExp(`^${version} `));
    expect(status).toBe(0);
  });
});
