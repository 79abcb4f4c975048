import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { KMSClient } from '@aws-sdk/client-kms';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { environmentNames } from '../shared/configuration/environment.ts';
import type { Verification } from '../shared/contract/schemas/audit-trail.ts';
import { readPublicKey } from '../shared/security/audit/signature.ts';
import { verifyChain } from '../shared/security/audit/verify-chain.ts';
import { clientOptions } from '../test/local/aws/support.ts';
import { type StateService, startState } from '../test/state/support.ts';
import type { AuditStep, AuditStepResult, Measured } from './audit-step.ts';

const execute = promisify(execFile);

const STEP = fileURLToPath(new URL('./audit-step.ts', import.meta.url));

export interface AuditBenchmark extends AuditStep {
  output: string;
}

/** Measures what readers and writers at the same time wait for the audit trail, and verifies the chain that they have written. */
export async function benchmarkAudit({ output, ...step }: AuditBenchmark): Promise<void> {
  const state = await startState();
  const folder = await mkdtemp(join(tmpdir(), 'bench-audit-'));
  try {
    const configuration = join(folder, 'runtime.json');
    const login = { type: 'secret', secret_arn: 'arn:aws:secretsmanager:eu-west-1:111122223333:secret:shop' };
    const databases = [{ id: 'shop', host: 'db.example', name: 'shop', login }];
    const identity = { issuer: 'https://issuer.example', audience: 'dbms' };
    await writeFile(configuration, JSON.stringify({ databases, identity, requests_per_minute: 100_000 }));
    const { services } = state;
    const env = {
      ...process.env,
      ...services.environment(),
      POWERTOOLS_LOG_LEVEL: 'SILENT',
      [environmentNames.configurationPath]: configuration,
      [environmentNames.stateTable]: state.table.name,
      [environmentNames.auditTable]: state.auditTable.name,
      [environmentNames.backupBucket]: 'backups',
      [environmentNames.downloadBucket]: 'downloads',
      [environmentNames.backupKeyArn]: await services.createKey({ keyId: 'backups' }),
      [environmentNames.auditKeyArn]: await services.createKey({ keyId: 'audit', keySpec: 'ECC_NIST_P256' }),
      [environmentNames.backupFunctionArn]: 'arn:aws:lambda:eu-west-1:111122223333:function:backup:live',
      [environmentNames.rebuildFunctionArn]: 'arn:aws:lambda:eu-west-1:111122223333:function:rebuild-catalog:live',
      [environmentNames.validateFunctionArn]: 'arn:aws:lambda:eu-west-1:111122223333:function:validate:live',
      AUDIT_STEP: JSON.stringify(step),
    };
    const { stdout } = await execute(process.execPath, [STEP], { env, maxBuffer: 10_000_000 });
    const measured = JSON.parse(stdout) as AuditStepResult;
    const { one, many, writers } = measured;
    const chain = await verifyWritten(state);
    const ratio = { p50: many.p50 / one.p50, p95: many.p95 / one.p95 };
    console.log(
      [
        line('1 reader', one),
        line(`${step.readers} readers`, many),
        `${step.readers} readers / 1 reader: p50 ${ratio.p50.toFixed(2)}, p95 ${ratio.p95.toFixed(2)}`,
        `${step.writers} writers at once: ${writers.milliseconds} ms for all`,
        `The chain: ${chain.records} records, ${chain.broken?.message ?? 'intact'}`,
      ].join('\n'),
    );
    mkdirSync(dirname(output), { recursive: true });
    const machine = { cpus: cpus().length, model: cpus()[0]?.model ?? 'unknown' };
    const result = { at: new Date().toISOString(), machine, ...step, ...measured, ratio, chain };
    writeFileSync(output, `${JSON.stringify(result, null, 2)}\n`);
    console.log(`Written to ${output}`);
    if (!chain.intact) process.exitCode = 1;
  } finally {
    await state.close();
    await rm(folder, { recursive: true, force: true });
  }
}

async function verifyWritten({ services, auditTable: table }: StateService): Promise<Verification> {
  const s3 = new S3Client({ ...clientOptions(services.endpoints.s3), forcePathStyle: true });
  const kms = new KMSClient(clientOptions(services.endpoints.kms));
  try {
    await s3.send(new CreateBucketCommand({ Bucket: 'audit' }));
    const keyArn = await services.createKey({ keyId: 'audit', keySpec: 'ECC_NIST_P256' });
    const publicKey = await readPublicKey({ kms, keyArn });
    const { signal } = new AbortController();
    const store = { s3, bucket: 'audit', keyArn };
    return await verifyChain('databases/shop', {}, { table, store, publicKey, timeIsOver: signal, signal });
  } finally {
    s3.destroy();
    kms.destroy();
  }
}

const line = (name: string, { reads, p50, p95, most, transactions }: Measured): string =>
  `${name}: ${reads} reads, p50 ${p50.toFixed(0)} ms, p95 ${p95.toFixed(0)} ms, most ${most.toFixed(0)} ms, ${transactions.toFixed(2)} TransactWriteItems a read`;
