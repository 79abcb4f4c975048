import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { App, Duration, Stack } from 'aws-cdk-lib';
import * as events from 'aws-cdk-lib/aws-events';
import * as targets from 'aws-cdk-lib/aws-events-targets';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as sqs from 'aws-cdk-lib/aws-sqs';
import { buildSync } from 'esbuild';

const root = fileURLToPath(new URL('../../..', import.meta.url));

export type MiniApp = {
  readonly folder: string;
  readonly cdkOut: string;
  readonly stateFolder: string;
  /** Bundles a handler's source text as the deployed functions are; gives the asset folder. */
  readonly code: (name: string, source: string) => lambda.AssetCode;
  readonly app: App;
  readonly remove: () => void;
};

/** A temporary CDK app for tests of what runs a synthesized app. */
export function miniApp(): MiniApp {
  const folder = mkdtempSync(join(tmpdir(), 'mini-app-'));
  const cdkOut = join(folder, 'cdk.out');
  const stateFolder = join(folder, 'state');
  mkdirSync(stateFolder);
  const code = (name: string, source: string) => {
    const outfile = join(folder, name, 'index.mjs');
    mkdirSync(dirname(outfile), { recursive: true });
    buildSync({
      stdin: { contents: source, resolveDir: root, loader: 'ts' },
      outfile,
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node24',
      logLevel: 'error',
      banner: {
        js: "import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url);",
      },
    });
    return lambda.Code.fromAsset(dirname(outfile));
  };
  return {
    folder,
    cdkOut,
    stateFolder,
    code,
    app: new App({ outdir: cdkOut }),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

const plain = `
let calls = 0;
export const handler = async (event, context) => {
  calls += 1;
  if (event.sleep) await new Promise((resolve) => setTimeout(resolve, event.sleep));
  if (event.fail) throw new TypeError('it failed');
  if (event.exit) process.exit(3);
  if (event.log) console.log(event.log);
  return { event, calls, pid: process.pid, name: context.functionName, arn: context.invokedFunctionArn, env: process.env, remaining: context.getRemainingTimeInMillis() };
};`;

const durable = `
import { withDurableExecution } from '@aws/durable-execution-sdk-js';
import { appendFileSync, existsSync, writeFileSync } from 'node:fs';
export const handler = withDurableExecution(async (event, context) => {
  const mark = (text) => appendFileSync(event.file, text + '\\n');
  const first = await context.step('first', async () => { mark('first'); return 1; });
  if (event.wait) await context.wait('pause', { seconds: event.wait });
  const flaky = await context.step('flaky', async () => {
    mark('flaky');
    if (event.flaky && !existsSync(event.file + '.once')) { writeFileSync(event.file + '.once', ''); throw new Error('once'); }
    return 2;
  }, { retryStrategy: (_error, attempt) => ({ shouldRetry: attempt < 3, delay: { seconds: 1 } }) });
  const workers = event.workers ? await context.map('workers', event.workers, async (child, item) => child.invoke('work', process.env.WORKER, { item })) : null;
  if (event.callback) {
    const [promise, id] = await context.createCallback('approval', { timeout: { seconds: 60 } });
    mark('callback ' + id);
    mark('approved ' + await promise);
  }
  if (event.hang) await context.step('hang', async () => {
    mark('hang');
    if (!existsSync(event.file + '.hung')) { writeFileSync(event.file + '.hung', ''); await new Promise((resolve) => setTimeout(resolve, 60_000)); }
    return 3;
  });
  if (event.die) { mark('die'); process.exit(1); }
  if (event.fail) throw new Error('no good');
  return { first, flaky, workers: workers ? workers.getResults().map(({ event: { item } }) => item) : null };
});`;

/** The app the tests of Lambda run: a plain function, a durable one that calls it, and a rule that follows executions. */
export function lambdaApp(): MiniApp {
  const mini = miniApp();
  const stack = new Stack(mini.app, 'Mini');
  const common = { runtime: lambda.Runtime.NODEJS_24_X, handler: 'index.handler' } as const;
  const layer = (name: string) => {
    mkdirSync(join(mini.folder, name), { recursive: true });
    writeFileSync(join(mini.folder, name, `${name}.json`), '{}');
    return new lambda.LayerVersion(stack, name, { code: lambda.Code.fromAsset(join(mini.folder, name)) });
  };
  const worker = new lambda.Function(stack, 'Plain', {
    ...common,
    functionName: 'plain',
    code: mini.code('plain', plain),
    timeout: Duration.seconds(20),
    layers: [layer('one'), layer('two')],
    environment: { CONFIGURATION: '/opt/one.json' },
    deadLetterQueue: new sqs.Queue(stack, 'Dead', { queueName: 'dead' }),
  });
  new lambda.Function(stack, 'Single', {
    ...common,
    functionName: 'single',
    code: mini.code('plain', plain),
    reservedConcurrentExecutions: 1,
  });
  const long = new lambda.Function(stack, 'Durable', {
    ...common,
    functionName: 'long',
    code: mini.code('durable', durable),
    timeout: Duration.seconds(30),
    environment: { WORKER: worker.currentVersion.functionArn },
    durableConfig: { executionTimeout: Duration.hours(1), retentionPeriod: Duration.days(1) },
  });
  long.addAlias('live');
  new events.Rule(stack, 'Ended', {
    eventPattern: {
      source: ['aws.lambda'],
      detailType: ['Durable Execution Status Change'],
      detail: { status: ['FAILED', 'TIMED_OUT', 'STOPPED'] },
    },
    targets: [new targets.LambdaFunction(worker)],
  });
  mini.app.synth();
  return mini;
}
