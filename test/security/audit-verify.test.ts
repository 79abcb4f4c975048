import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectRetentionCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  PutObjectLockConfigurationCommand,
} from '@aws-sdk/client-s3';
import { DeleteCommand, PutCommand, QueryCommand } from '@aws-sdk/lib-dynamodb';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AuditRecord } from '../../shared/contract/schemas/audit.ts';
import { openChain } from '../../shared/security/audit/chain.ts';
import { readHead } from '../../shared/security/audit/heads.ts';
import { auditLocation, recordsPrefix, sealsPrefix } from '../../shared/security/audit/layout.ts';
import { chainPartition, hashOf, headKey, recordItem, recordOf } from '../../shared/security/audit/record.ts';
import { entry, startTrail, type TestTrail } from './support/trail.ts';

const LOCKED = 'audit-archive';
let trail: TestTrail;
let state: TestTrail['state'];
let store: TestTrail['store'];
let seal: TestTrail['seal'];
let verify: TestTrail['verify'];
beforeAll(async () => {
  trail = await startTrail();
  ({ state, store, seal, verify } = trail);
  const { s3 } = store;
  await s3.send(new CreateBucketCommand({ Bucket: LOCKED }));
  const DefaultRetention = { Mode: 'COMPLIANCE', Days: 365 } as const;
  const ObjectLockConfiguration = { ObjectLockEnabled: 'Enabled', Rule: { DefaultRetention } } as const;
  await s3.send(new PutObjectLockConfigurationCommand({ Bucket: LOCKED, ObjectLockConfiguration }));
});
afterAll(() => trail?.close());

const EXPIRES = 4_000_000_000;

let chains = 0;
/** A chain of its own with ten records, one a second from noon on of the day before; sealed after the first `sealed` of them. */
async function makeChain(sealed: number): Promise<string> {
  const chain = `databases/verified-${++chains}`;
  const noon = Date.now() - 86_400_000;
  for (let number = 1; number <= 10; number++) {
    const writer = openChain(state.auditTable, chain, () => new Date(noon + number * 1000));
    await writer.append(entry(`operation-${number}`), 90);
    if (number === sealed) await seal(chain);
  }
  return chain;
}

async function itemsOf(chain: string): Promise<Record<string, unknown>[]> {
  const { Items = [] } = await state.auditTable.documents.send(
    new QueryCommand({
      TableName: state.auditTable.name,
      KeyConditionExpression: 'pk = :chain',
      ExpressionAttributeValues: { ':chain': chainPartition(chain) },
    }),
  );
  return Items;
}
async function recordAt(chain: string, sequence: number): Promise<AuditRecord> {
  const record = (await itemsOf(chain)).map(recordOf).find((each) => each?.sequence === sequence);
  if (!record) throw new Error(`There is no record ${sequence}`);
  return record;
}
const put = (item: Record<string, unknown>) =>
  state.auditTable.documents.send(new PutCommand({ TableName: state.auditTable.name, Item: item }));
const remove = ({ pk, sk }: Record<string, unknown>) =>
  state.auditTable.documents.send(new DeleteCommand({ TableName: state.auditTable.name, Key: { pk, sk } }));
const signed = (record: Omit<AuditRecord, 'hash'>): AuditRecord => ({ ...record, hash: hashOf(record) });
const putHead = ({ chain, sequence, hash, at }: AuditRecord) => put({ ...headKey(chain), sequence, hash, at });

/** Writes the chain anew from a record on, as somebody would who knows how it is made. */
async function forgeFrom(chain: string, sequence: number, change: Partial<AuditRecord>): Promise<void> {
  const records = (await itemsOf(chain)).flatMap((item) => recordOf(item) ?? []);
  let previous = records.find((each) => each.sequence === sequence - 1)?.hash ?? null;
  for (const { hash: _hash, ...record } of records.filter((each) => each.sequence >= sequence)) {
    const changed = record.sequence === sequence ? change : {};
    const forged = signed({ ...record, ...changed, previous_hash: previous });
    previous = forged.hash;
    await put(recordItem(forged, EXPIRES));
    if (forged.sequence === 10) await putHead(forged);
  }
}

/** What somebody does to the table, and what is found of it: with nothing archived yet, and with six records archived. */
const tampering: [
  what: string,
  doIt: (chain: string) => Promise<unknown>,
  found: { problem: string; sequence: number },
  archived?: { problem: string; sequence: number },
][] = [
  [
    'alters a record',
    async (chain) => put(recordItem({ ...(await recordAt(chain, 4)), actor: 'mallory' }, EXPIRES)),
    { problem: 'altered', sequence: 4 },
  ],
  [
    'adds a field to a record',
    async (chain) => put({ ...recordItem(await recordAt(chain, 4), EXPIRES), note: 'nothing to see' }),
    { problem: 'altered', sequence: 4 },
  ],
  [
    'alters a record and its hash',
    async (chain) => {
      const { hash: _hash, ...record } = await recordAt(chain, 4);
      await put(recordItem(signed({ ...record, actor: 'mallory' }), EXPIRES));
    },
    { problem: 'altered', sequence: 4 },
  ],
  [
    'makes of a record what is none',
    async (chain) => put({ ...recordItem(await recordAt(chain, 4), EXPIRES), outcome: 'fine' }),
    { problem: 'altered', sequence: 4 },
  ],
  [
    'removes a record',
    async (chain) => remove(recordItem(await recordAt(chain, 4), 0)),
    { problem: 'removed', sequence: 4 },
  ],
  [
    'removes the first record',
    async (chain) => remove(recordItem(await recordAt(chain, 1), 0)),
    { problem: 'removed', sequence: 1 },
  ],
  [
    'removes the last record',
    async (chain) => remove(recordItem(await recordAt(chain, 10), 0)),
    { problem: 'removed', sequence: 10 },
  ],
  [
    'has a record expire before its time',
    async (chain) => {
      const item = recordItem(await recordAt(chain, 4), Math.floor(Date.now() / 1000) - 1);
      await put(item);
      // The time to live is no part of a record, so that alone breaks nothing. What DynamoDB does then is to remove it.
      expect(await verify(chain)).toMatchObject({ intact: true, records: 10 });
      await remove(item);
    },
    { problem: 'removed', sequence: 4 },
  ],
  [
    'puts two records in each other’s place',
    async (chain) => {
      const [fourth, fifth] = [await recordAt(chain, 4), await recordAt(chain, 5)];
      const [four, five] = [recordItem(fourth, EXPIRES), recordItem(fifth, EXPIRES)];
      await put({ ...four, pk: five.pk, sk: five.sk });
      await put({ ...five, pk: four.pk, sk: four.sk });
    },
    { problem: 'reordered', sequence: 4 },
    { problem: 'altered', sequence: 4 },
  ],
  [
    'puts a record between two others',
    async (chain) => {
      const { hash: _hash, ...record } = await recordAt(chain, 4);
      const at = new Date(Date.parse(record.at) + 500).toISOString();
      await put(recordItem(signed({ ...record, at, operation: 'never happened' }), EXPIRES));
    },
    { problem: 'added', sequence: 4 },
  ],
  [
    'puts a record behind the last one',
    async (chain) => {
      const { hash, ...record } = await recordAt(chain, 10);
      const at = new Date(Date.parse(record.at) + 500).toISOString();
      await put(recordItem(signed({ ...record, at, sequence: 11, previous_hash: hash }), EXPIRES));
    },
    { problem: 'added', sequence: 11 },
  ],
];

describe('a chain in which somebody', () => {
  test.each(tampering)('%s is found to be broken there', async (_what, doIt, found) => {
    const chain = await makeChain(0);
    await doIt(chain);
    expect(await verify(chain)).toMatchObject({ intact: false, broken: { ...found, where: 'table' } });
    await expect(seal(chain)).rejects.toMatchObject({ code: 'audit_broken' });
  });

  test.each(tampering)(
    '%s is found to be broken there, when six of its records are archived',
    async (_what, doIt, found, archived = found) => {
      const chain = await makeChain(6);
      await doIt(chain);
      expect(await verify(chain)).toMatchObject({ intact: false, broken: { ...archived, where: 'table' } });
    },
  );

  test('writes everything anew from a record on is found out by the digest, and by the archive', async () => {
    const chain = await makeChain(6);
    await forgeFrom(chain, 6, { actor: 'mallory' });
    expect((await verify(chain)).broken).toMatchObject({ sequence: 6, problem: 'altered', where: 'table' });
    const alone = await makeChain(6);
    await forgeFrom(alone, 5, { actor: 'mallory' });
    const { Contents = [] } = await store.s3.send(
      new ListObjectsV2Command({ Bucket: store.bucket, Prefix: recordsPrefix(alone) }),
    );
    expect(Contents).toHaveLength(1);
    const range = { from: (await recordAt(alone, 7)).at };
    expect((await verify(alone, range)).broken).toBeNull();
    expect((await verify(alone)).broken).toMatchObject({ sequence: 5, problem: 'altered' });
  });

  test('removes the end with what the head says of it is found out by the digest', async () => {
    const chain = await makeChain(10);
    for (const sequence of [9, 10]) await remove(recordItem(await recordAt(chain, sequence), 0));
    await putHead(await recordAt(chain, 8));
    expect((await verify(chain)).broken).toMatchObject({ sequence: 9, problem: 'removed' });
  });

  test('forges a digest is found out by its signature', async () => {
    const chain = await makeChain(6);
    const { Contents = [] } = await store.s3.send(
      new ListObjectsV2Command({ Bucket: store.bucket, Prefix: sealsPrefix(chain) }),
    );
    const [Key = ''] = Contents.flatMap((each) => each.Key ?? []);
    const forged = { version: 2, chain, number: 1, heads: [{ sequence: 6, hash: 'f'.repeat(64) }], signature: 'AAAA' };
    await store.s3.send(new PutObjectCommand({ Bucket: store.bucket, Key, Body: JSON.stringify(forged) }));
    expect((await verify(chain)).broken).toMatchObject({ sequence: 1, problem: 'digest_invalid', where: 'digest' });
  });

  test('damages the archive is found to be broken there', async () => {
    const chain = await makeChain(6);
    const { prefix } = auditLocation(chain);
    const { Contents = [] } = await store.s3.send(
      new ListObjectsV2Command({ Bucket: store.bucket, Prefix: `${prefix}records/` }),
    );
    const [Key = ''] = Contents.flatMap((each) => each.Key ?? []);
    await store.s3.send(new PutObjectCommand({ Bucket: store.bucket, Key, Body: 'nothing' }));
    expect((await verify(chain)).broken).toMatchObject({ sequence: 1, problem: 'altered', where: 'archive' });
  });
});

test('what is archived and signed in a bucket with a lock cannot be deleted before the lock ends', async () => {
  const chain = await makeChain(0);
  const locked = { ...store, bucket: LOCKED };
  await seal(chain, new Date(), { store: locked });
  const { prefix: Prefix } = auditLocation(chain);
  const { Contents = [] } = await store.s3.send(new ListObjectsV2Command({ Bucket: LOCKED, Prefix }));
  expect(Contents.map(({ Key = '' }) => Key.slice(Prefix.length).split('/')[0])).toEqual(['records', 'seals']);
  for (const { Key } of Contents) {
    const object = { Bucket: LOCKED, Key };
    const { Retention } = await store.s3.send(new GetObjectRetentionCommand(object));
    expect(Retention?.RetainUntilDate?.getTime()).toBeGreaterThan(Date.now() + 364 * 86_400_000);
    const version = { ...object, VersionId: 'null', BypassGovernanceRetention: true };
    await expect(store.s3.send(new DeleteObjectCommand(version))).rejects.toMatchObject({ name: 'AccessDenied' });
  }
  const proof = await verify(chain, {}, { store: locked });
  expect(proof).toMatchObject({ intact: true, archived: 10, digests: 1 });
});

describe('a chain that nobody has touched', () => {
  test('is intact, from the archive and the table, over any time, and in parts', async () => {
    const chain = await makeChain(6);
    expect(await verify(chain)).toMatchObject({
      intact: true,
      complete: true,
      next_from: null,
      records: 10,
      archived: 6,
      digests: 1,
      first: { sequence: 1 },
      last: { sequence: 10 },
      broken: null,
    });
    const [third, eighth] = [await recordAt(chain, 3), await recordAt(chain, 8)];
    expect(await verify(chain, { from: third.at, to: eighth.at })).toMatchObject({
      intact: true,
      records: 6,
      first: { sequence: 3 },
      last: { sequence: 8 },
    });
    expect(await verify(chain, { from: new Date().toISOString() })).toMatchObject({ intact: true, records: 0 });
    expect(await verify(chain, {}, { timeIsOver: AbortSignal.abort() })).toMatchObject({
      intact: true,
      complete: false,
      records: 0,
    });
  });

  test('is intact when its table has only what is not archived, and is sealed on from there', async () => {
    const chain = `databases/verified-${++chains}`;
    const longAgo = Date.now() - 30 * 86_400_000;
    for (let number = 1; number <= 4; number++) {
      await openChain(state.auditTable, chain, () => new Date(longAgo + number)).append(entry(`${number}`), 8);
    }
    expect(await seal(chain)).toEqual({ archived: 4, sealed: 1 });
    expect(await seal(chain)).toEqual({ archived: 0, sealed: 2 });
    for (const item of await itemsOf(chain)) await remove(item);
    expect(await verify(chain)).toMatchObject({ intact: true, records: 4, archived: 4, digests: 2 });
    await openChain(state.auditTable, chain).append(entry('5'), 90);
    expect(await seal(chain)).toEqual({ archived: 1, sealed: 3 });
    expect(await verify(chain)).toMatchObject({ intact: true, records: 5, archived: 5, digests: 3 });
    expect(await readHead(state.auditTable, chain)).toMatchObject({ sequence: 5 });
  });

  test('is intact while nothing was recorded in it', async () => {
    expect(await seal('databases/empty')).toEqual({ archived: 0, sealed: 1 });
    expect(await verify('databases/empty')).toMatchObject({ intact: true, complete: true, records: 0, first: null });
  });
});
