import { DeleteObjectCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import { DeleteCommand, PutCommand, QueryCommand } from '@aws-sdk/lib-dynamodb';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { AuditRecord } from '../../shared/contract/schemas/audit.ts';
import { createAuditor } from '../../shared/security/audit/auditor.ts';
import { openChain, openShards } from '../../shared/security/audit/chain.ts';
import { readHeads } from '../../shared/security/audit/heads.ts';
import { recordsPrefix, sealsPrefix } from '../../shared/security/audit/layout.ts';
import { listRecords } from '../../shared/security/audit/list-records.ts';
import { chainPartition, hashOf, headKey, recordItem, recordOf } from '../../shared/security/audit/record.ts';
import { isSealDue } from '../../shared/security/audit/seal-chain.ts';
import { createSealer } from '../../shared/security/audit/seal-chains.ts';
import { entry, startTrail, type TestTrail } from './support/trail.ts';

let trail: TestTrail;
let table: TestTrail['state']['auditTable'];
let seal: TestTrail['seal'];
let verify: TestTrail['verify'];
beforeAll(async () => {
  trail = await startTrail();
  ({ seal, verify } = trail);
  table = trail.state.auditTable;
});
afterEach(() => {
  vi.useRealTimers();
});
afterAll(() => trail?.close());

const DAY = 86_400_000;
const MINUTE = 60_000;
const { signal } = new AbortController();
const settings = async () => ({ enable_audit: true, max_audit_retention_days: 90 });
const ago = (milliseconds: number) => new Date(Date.now() - milliseconds);

let chains = 0;
const newChain = () => `databases/sealed-${++chains}`;

async function itemsOf(chain: string): Promise<Record<string, unknown>[]> {
  const { Items = [] } = await table.documents.send(
    new QueryCommand({
      TableName: table.name,
      KeyConditionExpression: 'pk = :chain',
      ExpressionAttributeValues: { ':chain': chainPartition(chain) },
      ConsistentRead: true,
    }),
  );
  return Items;
}
const recordsOf = async (chain: string): Promise<AuditRecord[]> =>
  (await itemsOf(chain)).flatMap((item) => recordOf(item) ?? []);
const put = (Item: Record<string, unknown>) => table.documents.send(new PutCommand({ TableName: table.name, Item }));
const remove = ({ pk, sk }: Record<string, unknown>) =>
  table.documents.send(new DeleteCommand({ TableName: table.name, Key: { pk, sk } }));
const keysOf = async (Prefix: string): Promise<string[]> => {
  const { Contents = [] } = await trail.store.s3.send(new ListObjectsV2Command({ Bucket: trail.store.bucket, Prefix }));
  return Contents.flatMap(({ Key }) => Key ?? []);
};

/** A change that is announced, and three reads: one in a shard, two in another. */
async function makeChain(at: Date): Promise<string> {
  const chain = newChain();
  await openChain(table, chain, () => at).append(entry('change'), 90);
  for (const [shards, operation] of [
    [1, 'read one'],
    [1, 'read two'],
  ] as const)
    await openShards(table, chain, () => at, undefined, shards).append(entry(operation), 90);
  let taken = false;
  while (!taken) {
    const { shard } = await openShards(table, chain, () => at).append(entry('read elsewhere'), 90);
    taken = shard !== 0;
  }
  return chain;
}

describe('records of those who read at the same time', () => {
  test('are in shards, each in a chain of its own, and lose nothing', async () => {
    const chain = newChain();
    const written = await Promise.all(
      Array.from({ length: 40 }, (_, index) => openShards(table, chain).append(entry(`read ${index}`), 90)),
    );
    const records = await recordsOf(chain);
    expect(records.map(({ operation }) => operation).sort()).toEqual(written.map(({ operation }) => operation).sort());
    expect(new Set(records.map(({ shard }) => shard)).size).toBeGreaterThan(10);
    expect(await verify(chain)).toMatchObject({ intact: true, records: 40, sealing: { unsealed_records: 40 } });
    const listed = await listRecords(table, chain, { limit: 25 });
    const rest = await listRecords(table, chain, { limit: 25, cursor: listed.next_cursor ?? '' });
    expect(new Set([...listed.items, ...rest.items].map(({ operation }) => operation)).size).toBe(40);
  });

  test('are merged into one object of the archive when they are sealed', async () => {
    const chain = await makeChain(ago(MINUTE));
    const { archived } = await seal(chain);
    expect(archived).toBeGreaterThanOrEqual(4);
    expect(await keysOf(recordsPrefix(chain))).toHaveLength(1);
    for (const item of await itemsOf(chain)) await remove(item);
    const later = new Date(Date.now() + 30 * DAY);
    expect(await verify(chain, {}, { now: later })).toMatchObject({
      intact: true,
      records: archived,
      archived,
      digests: 1,
    });
  });
});

/** What somebody does to a shard, and what is found. */
const tampering: [what: string, doIt: (chain: string, record: AuditRecord) => Promise<unknown>, problem: string][] = [
  ['alters a record', (_, record) => put(recordItem({ ...record, actor: 'mallory' }, 4e9)), 'altered'],
  ['removes a record', (_, record) => remove(recordItem(record, 0)), 'removed'],
  [
    'moves a record to another shard',
    async (_, { hash: _hash, ...record }) => {
      await remove(recordItem({ ...record, hash: '' }, 0));
      const moved = { ...record, shard: 5 };
      await put(recordItem({ ...moved, hash: hashOf(moved) }, 4e9));
    },
    'removed',
  ],
];

describe('a shard in which somebody', () => {
  for (const isSealed of [false, true]) {
    test.each(tampering)(`%s is found to be broken (sealed: ${isSealed})`, async (_what, doIt, problem) => {
      const chain = await makeChain(ago(MINUTE));
      if (isSealed) await seal(chain);
      const record = (await recordsOf(chain)).find(({ shard, sequence }) => shard === 0 && sequence === 1);
      if (!record) throw new Error('There is no such record');
      await doIt(chain, record);
      const { broken } = await verify(chain);
      expect(broken).toMatchObject({ problem, sequence: 1, shard: 0, where: 'table' });
      if (!isSealed) await expect(seal(chain)).rejects.toMatchObject({ code: 'audit_broken' });
    });
  }

  test('removes all records with the head is found out by the seal, and by the next one', async () => {
    const chain = await makeChain(ago(MINUTE));
    await seal(chain);
    for (const record of await recordsOf(chain)) if (record.shard === 0) await remove(recordItem(record, 0));
    await remove(headKey(chain, 0));
    expect((await verify(chain)).broken).toMatchObject({ problem: 'removed', shard: 0 });
    await expect(seal(chain)).rejects.toThrow('The head of shard 0 was put back');
  });

  test('rewrites everything with its head is found out, when it was sealed before', async () => {
    const chain = await makeChain(ago(MINUTE));
    await seal(chain);
    const [one, two] = (await recordsOf(chain)).filter(({ shard }) => shard === 0);
    if (!one || !two) throw new Error('There are no such records');
    const { hash: _one, ...first } = { ...one, actor: 'mallory' };
    const forged = { ...first, hash: hashOf(first) };
    const { hash: _two, ...second } = { ...two, previous_hash: forged.hash };
    const last = { ...second, hash: hashOf(second) };
    for (const record of [forged, last]) await put(recordItem(record, 4e9));
    await put({ ...headKey(chain, 0), sequence: 2, hash: last.hash, at: last.at });
    expect((await verify(chain)).broken).toMatchObject({ problem: 'altered', shard: 0 });
    await expect(seal(chain)).rejects.toThrow('The head of shard 0 was put back');
  });
});

describe('seals', () => {
  test('are due after minutes, after many records, and each day in any case', () => {
    const due = (minutes: number, waiting: number) =>
      isSealDue({ sealed_at: new Date(0).toISOString() }, waiting, new Date(minutes * MINUTE));
    expect([due(5, 1), due(15, 1), due(5, 250), due(59, 0), due(24 * 60, 0)]).toEqual([false, true, true, false, true]);
  });

  test('say from which time on the chain is not sealed yet, and when one is overdue', async () => {
    const chain = newChain();
    const writer = (at: Date) => openShards(table, chain, () => at);
    await writer(ago(200 * MINUTE)).append(entry('first'), 90);
    const sealedAt = ago(190 * MINUTE);
    await seal(chain, sealedAt);
    expect((await verify(chain)).sealing).toEqual({
      last_seal_at: sealedAt.toISOString(),
      unsealed_records: 0,
      unsealed_from: null,
      overdue: false,
      gaps: [],
    });
    const at = ago(180 * MINUTE);
    await writer(at).append(entry('second'), 90);
    expect((await verify(chain)).sealing).toMatchObject({
      unsealed_records: 1,
      unsealed_from: at.toISOString(),
      overdue: true,
    });
    expect((await verify(chain, {}, { now: ago(170 * MINUTE) })).sealing.overdue).toBe(false);
  });

  test('are made each day also when nothing is recorded, so that a day without one tells of a failure', async () => {
    const chain = newChain();
    for (const days of [6, 5, 2, 1]) await seal(chain, ago(days * DAY));
    const { intact, records, sealing } = await verify(chain);
    expect([intact, records, sealing.overdue]).toEqual([true, 0, false]);
    expect(sealing.gaps).toHaveLength(1);
    const late = await verify(chain, {}, { now: new Date(Date.now() + 3 * DAY) });
    expect(late.sealing.overdue).toBe(true);
  });

  test('are counted, so that one that is missing is found out', async () => {
    const chain = await makeChain(ago(5 * DAY));
    for (const days of [3, 2, 1]) await seal(chain, ago(days * DAY));
    const [, Key] = await keysOf(sealsPrefix(chain));
    await trail.store.s3.send(new DeleteObjectCommand({ Bucket: trail.store.bucket, Key }));
    expect((await verify(chain)).broken).toMatchObject({ problem: 'seal_missing', message: 'Seal 2 is missing' });
  });

  test('are of records of the span that is asked for, and of all before it', async () => {
    const chain = newChain();
    for (const hours of [5, 4, 3]) {
      await openShards(table, chain, () => ago(hours * 60 * MINUTE), undefined, 1).append(entry(`${hours}`), 90);
      await seal(chain, ago(hours * 60 * MINUTE - MINUTE));
    }
    const from = ago(4.5 * 60 * MINUTE).toISOString();
    const to = ago(3.5 * 60 * MINUTE).toISOString();
    expect(await verify(chain, { from, to })).toMatchObject({ intact: true, complete: true, records: 1, archived: 1 });
    expect(await verify(chain, { from })).toMatchObject({ intact: true, records: 2, digests: 2 });
    const second = (await recordsOf(chain)).find(({ sequence }) => sequence === 2);
    if (second) await remove(recordItem(second, 0));
    expect(await verify(chain, { from })).toMatchObject({ broken: { problem: 'removed', sequence: 2 } });
  });

  test('are of whole chains alone: a run fails for each that is broken, and seals the others', async () => {
    const [broken, whole] = [await makeChain(ago(MINUTE)), await makeChain(ago(MINUTE))];
    const [record] = await recordsOf(broken);
    if (record) await remove(recordItem(record, 0));
    const { store, signing } = trail;
    const sealed: string[] = [];
    const run = createSealer({
      databases: [],
      table,
      store,
      signing,
      clock: () => new Date(),
      onSealed: (chain) => sealed.push(chain),
      onFailed: () => undefined,
    });
    for (let runs = 0; runs < 2; runs++) expect(await run(signal)).toContain(broken);
    expect(sealed).toContain(whole);
    expect(sealed).not.toContain(broken);
  });

  test('cover chains of databases that left the configuration, and of those that come back', async () => {
    const auditor = createAuditor({ table, settings, now: () => ago(20 * DAY) });
    const who = { source: 'api', actor: 'alice', operation: 'read', target: null, address: null } as const;
    const read = () => auditor.observed({ ...who, database: 'left', request_id: null }, async () => 1);
    await read();
    const failed: unknown[] = [];
    const { store, signing } = trail;
    const sealer = (databases: string[], days: number) =>
      createSealer({
        databases,
        table,
        store,
        signing,
        clock: () => ago(days * DAY),
        onSealed: () => undefined,
        onFailed: (chain, error) => failed.push(chain === 'databases/left' ? error : null),
      });
    await sealer([], 19)(signal);
    // Time to live, and the registry of chains with it: the archive has them still.
    for (const item of await itemsOf('databases/left')) await remove(item);
    await sealer([], 1)(signal);
    await read();
    await sealer(['left'], 0)(signal);
    expect(failed.filter((each) => each !== null)).toEqual([]);
    expect(await verify('databases/left')).toMatchObject({ intact: true, records: 2, archived: 2 });
    expect(await keysOf(sealsPrefix('databases/left'))).toHaveLength(3);
  });
});

describe('a clock that is wrong', () => {
  const read = (now?: () => Date) => {
    const auditor = createAuditor({ table, settings, ...(now ? { now } : {}) });
    const who = { source: 'api', actor: 'alice', operation: 'read', target: null, address: null } as const;
    return (database: string) => auditor.happened({ ...who, database, request_id: null }, { outcome: 'succeeded' });
  };

  test.each([
    ['ahead', 400 * DAY],
    ['behind', -400 * DAY],
    ['a few minutes ahead', 3 * MINUTE],
  ])('%s dates no record: the time is the table’s', async (what, difference) => {
    const database = `clock-${what.replaceAll(' ', '-')}`;
    const real = Date.now();
    vi.useFakeTimers({ toFake: ['Date'], now: real + difference });
    await read()(database);
    vi.useRealTimers();
    await read()(database);
    const records = await recordsOf(`databases/${database}`);
    expect(records).toHaveLength(2);
    for (const { at } of records) expect(Math.abs(Date.parse(at) - real)).toBeLessThan(MINUTE);
    const items = await itemsOf(`databases/${database}`);
    for (const { expires_at_epoch: expires } of items) {
      expect(Math.abs(Number(expires) * 1000 - real - 90 * DAY)).toBeLessThan(MINUTE);
    }
  });

  test('that dated a record does not date those after it, and nothing is taken for tampering', async () => {
    const chain = newChain();
    const append = (at: Date, operation: string) => openChain(table, chain, () => at).append(entry(operation), 90);
    await append(ago(5 * MINUTE), 'before');
    await append(new Date(Date.now() + 400 * DAY), 'ahead');
    const [four, three] = [ago(4 * MINUTE), ago(3 * MINUTE)];
    await append(four, 'after');
    await seal(chain, ago(3.5 * MINUTE));
    await append(three, 'later');
    await seal(chain);
    await append(ago(MINUTE), 'not sealed');
    const records = (await recordsOf(chain)).toSorted((one, other) => one.sequence - other.sequence);
    expect(records.slice(2, 4).map(({ at }) => at)).toEqual([four.toISOString(), three.toISOString()]);
    for (const span of [{}, { from: ago(3.2 * MINUTE).toISOString() }, { to: ago(2 * MINUTE).toISOString() }])
      expect(await verify(chain, span)).toMatchObject({ intact: true, complete: true });
    // Time to live removes the record by the time it was written, not by the one that it says.
    for (const item of await itemsOf(chain)) if (item.sequence !== 5) await remove(item);
    const later = new Date(Date.now() + 95 * DAY);
    expect(await verify(chain, {}, { now: later })).toMatchObject({ intact: true, records: 5, archived: 4 });
  });

  test('of the one who seals does not keep the next seal from following', async () => {
    const chain = await makeChain(ago(MINUTE));
    await seal(chain, new Date(Date.now() + 400 * DAY));
    await openShards(table, chain).append(entry('after'), 90);
    const report = await seal(chain, new Date(), { isDue: isSealDue });
    expect(report).toEqual({ archived: 1, sealed: 2 });
    expect(await verify(chain)).toMatchObject({ intact: true, digests: 2, sealing: { unsealed_records: 0 } });
    expect((await readHeads(table, chain)).size).toBeGreaterThan(2);
  });
});
