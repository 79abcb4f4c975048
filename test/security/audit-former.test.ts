import { readFile } from 'node:fs/promises';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { PutCommand } from '@aws-sdk/lib-dynamodb';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ObjectStore } from '../../shared/backup/objects/object-store.ts';
import { openChain, openShards } from '../../shared/security/audit/chain.ts';
import { listRecords } from '../../shared/security/audit/list-records.ts';
import { recordItem } from '../../shared/security/audit/record.ts';
import { createSealer } from '../../shared/security/audit/seal-chains.ts';
import { entry, startTrail, type TestTrail } from './support/trail.ts';

/**
 * What the version of November 2026 has stored, as it was: `shop` was archived under the backups' key first and under one of its own then; in
 * `crm` one writer's clock was 400 days ahead, and dated all later records; `gone` has left the configuration, with records that were not archived.
 */
interface Former {
  keys: Record<'backups' | 'data', string>;
  kms: object;
  items: Record<string, unknown>[];
  /** Base64 by key. */
  objects: Record<string, string>;
}

const NOW = new Date('2026-11-22T00:00:00Z');
const { signal } = new AbortController();

let former: Former;
let trail: TestTrail;
let store: ObjectStore;
beforeAll(async () => {
  former = JSON.parse(await readFile(new URL('./support/former-trail.json', import.meta.url), 'utf8')) as Former;
  trail = await startTrail(former.kms);
  const { auditTable } = trail.state;
  for (const Item of former.items)
    await auditTable.documents.send(new PutCommand({ TableName: auditTable.name, Item }));
  for (const [Key, body] of Object.entries(former.objects)) {
    const Body = Buffer.from(body, 'base64');
    await trail.store.s3.send(new PutObjectCommand({ Bucket: trail.store.bucket, Key, Body }));
  }
  store = { ...trail.store, keyArn: former.keys.data, formerKeyArns: [former.keys.backups] };
});
afterAll(() => trail?.close());

const expected = {
  'databases/shop': { records: 11, archived: 9, digests: 2 },
  'databases/crm': { records: 8, archived: 6, digests: 1 },
  'databases/gone': { records: 4, archived: 2, digests: 1 },
  system: { records: 2, archived: 2, digests: 1 },
};
type Chain = keyof typeof expected;
const chains = Object.keys(expected) as Chain[];

describe('a trail that a former version has written', () => {
  test.each(chains)('%s is intact as it is, with what is archived under the backups’ key', async (chain) => {
    const found = await trail.verify(chain, {}, { store, now: NOW });
    expect(found).toMatchObject({ intact: true, complete: true, broken: null, ...expected[chain] });
  });

  test('is listed', async () => {
    const { items } = await listRecords(trail.state.auditTable, 'databases/shop', { limit: 100 });
    expect(items).toHaveLength(11);
    expect(items.find(({ operation }) => operation === 'ALTER TABLE')).not.toHaveProperty('claimed');
  });

  test('goes on with records of now, in the chain and in shards, is sealed, and stays intact', async () => {
    const { auditTable: table } = trail.state;
    const failed: unknown[] = [];
    const now = () => NOW;
    for (const chain of ['databases/shop', 'databases/crm']) {
      const { at } = await openChain(table, chain, now).append(entry('change'), 90);
      await openShards(table, chain, now).append(entry('read'), 90);
      expect(at).toBe(NOW.toISOString());
    }
    const seal = createSealer({
      databases: ['shop', 'crm'],
      table,
      store: { ...trail.store, keyArn: former.keys.data },
      signing: trail.signing,
      clock: now,
      onSealed: () => undefined,
      onFailed: (chain, error) => failed.push([chain, error]),
    });
    expect([await seal(signal), failed]).toEqual([[], []]);
    const more = { 'databases/shop': 2, 'databases/crm': 2, 'databases/gone': 0, system: 0 };
    for (const chain of chains) {
      const records = expected[chain].records + more[chain];
      const found = await trail.verify(chain, {}, { store, now: NOW });
      expect(found).toMatchObject({ intact: true, records, archived: records, digests: expected[chain].digests + 1 });
    }
    const since = { from: '2026-11-21T00:00:00Z' };
    expect(await trail.verify('databases/crm', since, { store, now: NOW })).toMatchObject({ intact: true });
  });

  test('that somebody rewrites is found out by its digest', async () => {
    const { auditTable: table } = trail.state;
    const { items } = await listRecords(table, 'databases/gone', { limit: 100 });
    const [record] = items.filter(({ sequence }) => sequence === 2);
    if (!record) throw new Error('There is no such record');
    const Item = recordItem({ ...record, actor: 'mallory' }, 4e9);
    await table.documents.send(new PutCommand({ TableName: table.name, Item }));
    const { broken } = await trail.verify('databases/gone', {}, { store, now: NOW });
    expect(broken).toMatchObject({ problem: 'altered', sequence: 2 });
  });
});
