import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LambdaClient } from '@aws-sdk/client-lambda';
import { afterEach, describe, expect, it } from 'vitest';
import type { Listening } from '../../local/aws/http.ts';
import { serveLambda } from '../../local/lambda/server.ts';
import { createLambdaService, type LambdaService } from '../../local/lambda/service.ts';
import type { FunctionDefinition, FunctionVersion } from '../../local/template/functions.ts';
import { pruneVersions } from '../../shared/versions/prune.ts';

const DAY_MS = 86_400_000;
const now = new Date();

let open: { lambda: LambdaService; server: Listening; client: LambdaClient; folder: string } | null = null;
afterEach(async () => {
  open?.client.destroy();
  await open?.lambda.close();
  await open?.server.close();
  if (open) rmSync(open.folder, { recursive: true, force: true });
  open = null;
});

/** A function with a version published so many days ago, each; the last one is live. */
function versioned(name: string, isDurable: boolean, daysAgo: readonly number[]): FunctionDefinition {
  const own: FunctionVersion = {
    name,
    arn: `arn:aws:lambda:us-east-1:000000000000:function:${name}`,
    handler: 'index.handler',
    codePath: null,
    environment: {},
    timeoutSeconds: 900,
    memoryMegabytes: 128,
    layers: [],
    durable: isDurable ? { executionTimeoutSeconds: 86_400, retentionDays: 14 } : null,
    deadLetterArn: null,
    fingerprint: name,
    publishedAt: 0,
  };
  const versions = new Map(
    daysAgo.map((days, index) => [String(index + 1), { ...own, publishedAt: now.getTime() - days * DAY_MS }]),
  );
  const numbers = [...versions.keys()].map((number): [string, string] => [number, number]);
  const live: [string, string][] = isDurable ? [['live', String(daysAgo.length)]] : [];
  return {
    ...own,
    reservedConcurrency: null,
    qualifiers: new Map([['$LATEST', '$LATEST'], ...numbers, ...live]),
    asyncConfigs: new Map(),
    versions,
  };
}

/** The local Lambda over HTTP, as the function reaches the real one. */
async function start(...functions: FunctionDefinition[]) {
  const folder = mkdtempSync(join(tmpdir(), 'prune-'));
  const deleted: string[] = [];
  const lambda = createLambdaService({
    stateFolder: folder,
    functions,
    awsEnvironment: () => ({}),
    durableRetryMilliseconds: 60_000,
    versionDeleted: (name, version) => deleted.push(`${name}:${version}`),
  });
  const server = await serveLambda(lambda);
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
  const client = new LambdaClient({ endpoint: server.url, region: 'us-east-1', credentials, maxAttempts: 1 });
  open = { lambda, server, client, folder };
  const prune = (names: string[], maxDeletions?: number) =>
    pruneVersions(names, {
      client,
      now,
      signal: AbortSignal.timeout(60_000),
      ...(maxDeletions === undefined ? {} : { maxDeletions }),
    });
  return { lambda, deleted, prune };
}

describe('pruning', () => {
  it('deletes what no execution can need, over pages, and says what it deleted', async () => {
    // 120 daily deployments are three pages; the newest 16 were superseded less than 16 days ago.
    const daily = Array.from({ length: 120 }, (_, index) => 119.5 - index);
    const { deleted, prune } = await start(versioned('backup', true, daily), versioned('lane', false, daily));
    const report = await prune(['backup', 'lane']);
    expect(report).toMatchObject({ in_use: {}, failed: [], left: 40 });
    expect(report.deleted.backup).toEqual(Array.from({ length: 103 }, (_, index) => String(index + 1)));
    expect(report.deleted.lane).toHaveLength(97);
    expect(deleted).toHaveLength(200);
  });

  it('keeps a version whose execution has not ended, whatever its age', async () => {
    const { lambda, deleted, prune } = await start(versioned('backup', true, [400, 300, 200]));
    lambda.submit({ functionName: 'backup:1', payload: '{}', durableExecutionName: 'never-ends' });
    const report = await prune(['backup']);
    expect(report).toMatchObject({ deleted: { backup: ['2'] }, in_use: { backup: ['1'] }, left: 2 });
    expect(deleted).toEqual(['backup:2']);
  });

  it('deletes nothing at all when it cannot learn how long versions are needed', async () => {
    const { deleted, prune } = await start(versioned('lane', false, [400, 300, 200]));
    const report = await prune(['backup', 'lane']);
    expect(report.failed).toEqual([
      { function: 'backup', version: null, message: 'ResourceNotFoundException: Function not found: backup' },
    ]);
    expect(report.deleted).toEqual({});
    expect(deleted).toEqual([]);
  });

  it('leaves the rest to the next run when there is more than one run should delete', async () => {
    const { deleted, prune } = await start(versioned('lane', false, [500, 400, 300, 200]));
    expect((await prune(['lane'], 2)).deleted).toEqual({ lane: ['1', '2'] });
    expect((await prune(['lane'], 2)).deleted).toEqual({ lane: ['3'] });
    expect((await prune(['lane'], 2)).deleted).toEqual({});
    expect(deleted).toEqual(['lane:1', 'lane:2', 'lane:3']);
  });

  it('goes on with the others when a version cannot be deleted', async () => {
    const backup = versioned('backup', true, [400, 300, 200]);
    const { lambda, prune } = await start(backup);
    const refuse = new Map([...backup.qualifiers, ['canary', '1'] as const]);
    // The alias comes to stand for it between the listing and the deletion.
    const { deleteVersion } = lambda;
    Object.assign(lambda, {
      deleteVersion: async (name: string, version: string | undefined) => {
        await lambda.deploy([{ ...backup, qualifiers: refuse }]);
        return deleteVersion(name, version);
      },
    });
    const report = await prune(['backup']);
    expect(report.deleted).toEqual({ backup: ['2'] });
    expect(report.failed).toMatchObject([
      { function: 'backup', version: '1', message: expect.stringContaining('ResourceConflictException') },
    ]);
  });
});
