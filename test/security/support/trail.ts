import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { KMSClient } from '@aws-sdk/client-kms';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { vi } from 'vitest';
import type { ObjectStore } from '../../../shared/backup/objects/object-store.ts';
import type { AuditEntry } from '../../../shared/contract/schemas/audit.ts';
import type { Verification } from '../../../shared/contract/schemas/audit-trail.ts';
import { type isSealDue, type SealReport, sealChain } from '../../../shared/security/audit/seal-chain.ts';
import { readPublicKey, type Signing } from '../../../shared/security/audit/signature.ts';
import { type VerifyDependencies, verifyChain } from '../../../shared/security/audit/verify-chain.ts';
import { clientOptions } from '../../local/aws/support.ts';
import { type StateService, startState } from '../../state/support.ts';

/** An audit trail with its table, its archive and its key. */
export interface TestTrail {
  state: StateService;
  store: ObjectStore;
  signing: Signing;
  /** Seals a chain, whether that is due or not, unless `isDue` says so. */
  seal(chain: string, now?: Date, other?: { store?: ObjectStore; isDue?: typeof isSealDue }): Promise<SealReport>;
  verify(
    chain: string,
    span?: { from?: string; to?: string },
    other?: Partial<VerifyDependencies>,
  ): Promise<Verification>;
  close(): Promise<void>;
}

export const entry = (operation: string, more: Partial<AuditEntry> = {}): AuditEntry => ({
  source: 'api',
  actor: 'alice',
  operation,
  database: 'shop',
  target: null,
  address: null,
  request_id: null,
  outcome: 'succeeded',
  started_by: null,
  duration_ms: null,
  error: null,
  request: null,
  before: null,
  after: { ratio: 0.7 },
  ...more,
});

const { signal } = new AbortController();

/** @param keys - the state of the local KMS, as it is to begin with */
export async function startTrail(keys?: object): Promise<TestTrail> {
  const state = await startState(
    async (folder) => keys && writeFile(join(folder, 'kms.json'), JSON.stringify(keys), { mode: 0o600 }),
  );
  const { services, auditTable: table } = state;
  for (const [name, value] of Object.entries(services.environment())) vi.stubEnv(name, value);
  const s3 = new S3Client({ ...clientOptions(services.endpoints.s3), forcePathStyle: true });
  await s3.send(new CreateBucketCommand({ Bucket: 'audit' }));
  const store: ObjectStore = { s3, bucket: 'audit', keyArn: await services.createKey() };
  const keyArn = await services.createKey({ keyId: 'audit', keySpec: 'ECC_NIST_P256' });
  const signing = { kms: new KMSClient(clientOptions(services.endpoints.kms)), keyArn };
  const publicKey = await readPublicKey(signing);
  return {
    state,
    store,
    signing,
    seal: (chain, now = new Date(), { store: into = store, isDue = () => true } = {}) =>
      sealChain(chain, { table, store: into, signing, publicKey, signal }, now, isDue),
    verify: (chain, span = {}, other = {}) =>
      verifyChain(chain, span, { table, store, publicKey, timeIsOver: signal, signal, ...other }),
    async close() {
      signing.kms.destroy();
      s3.destroy();
      vi.unstubAllEnvs();
      await state.close();
    },
  };
}
