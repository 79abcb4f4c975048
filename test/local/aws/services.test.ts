import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CloudWatchClient, ListMetricsCommand } from '@aws-sdk/client-cloudwatch';
import { DynamoDBClient, ListTablesCommand } from '@aws-sdk/client-dynamodb';
import { KMSClient, ListKeysCommand } from '@aws-sdk/client-kms';
import { CreateBucketCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { ListSchedulesCommand, SchedulerClient } from '@aws-sdk/client-scheduler';
import { ListSecretsCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { GetSendQuotaCommand, SESClient } from '@aws-sdk/client-ses';
import { afterEach, expect, it, vi } from 'vitest';
import { startServices } from '../../../local/aws/services.ts';
import type { KnownPorts } from '../../../local/ports.ts';
import { useServices } from './support.ts';

const services = useServices();
afterEach(() => vi.unstubAllEnvs());

it('directs every client by environment variables alone', async () => {
  for (const [name, value] of Object.entries(services.current.environment())) vi.stubEnv(name, value);
  expect((await new KMSClient().send(new ListKeysCommand())).Keys).toEqual([]);
  expect((await new SecretsManagerClient().send(new ListSecretsCommand())).SecretList).toEqual([]);
  expect((await new CloudWatchClient().send(new ListMetricsCommand())).Metrics).toEqual([]);
  expect((await new SchedulerClient().send(new ListSchedulesCommand())).Schedules).toEqual([]);
  expect((await new DynamoDBClient().send(new ListTablesCommand())).TableNames).toEqual([]);
  expect((await new SESClient().send(new GetSendQuotaCommand())).SentLast24Hours).toBe(0);
  const s3 = new S3Client();
  await s3.send(new CreateBucketCommand({ Bucket: 'bucket' }));
  expect((await s3.send(new ListObjectsV2Command({ Bucket: 'bucket' }))).KeyCount).toBe(0);
});

it('names an operation that it does not have', async () => {
  const answer = await fetch(services.current.endpoints.kms, {
    method: 'POST',
    headers: { 'x-amz-target': 'TrentService.ImportKeyMaterial' },
    body: '{}',
  });
  expect(await answer.json()).toEqual({
    __type: 'UnknownOperationException',
    message: 'The local kms endpoint has no ImportKeyMaterial',
  });
});

it('stops what it started when a port is taken', async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const address = other.address();
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
  /** Keeps one service to the port that is taken. */
  const taken = (service: string): KnownPorts => ({ open: (name, open) => open(name === service ? port : 0) });
  const folder = await mkdtemp(join(tmpdir(), 'local-aws-'));
  await expect(startServices({ stateFolder: folder, ports: taken('scheduler') })).rejects.toMatchObject({
    code: 'EADDRINUSE',
  });
  await expect(startServices({ stateFolder: folder, ports: taken('s3') })).rejects.toMatchObject({
    code: 'EADDRINUSE',
  });
  // The state's lock is free again, so nothing is left running.
  const started = await startServices({ stateFolder: folder });
  await expect(startServices({ stateFolder: folder })).rejects.toThrow(/another process may be using it/);
  await started.close();
  other.close();
  await rm(folder, { recursive: true });
});
