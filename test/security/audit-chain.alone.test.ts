import { setTimeout as later } from 'node:timers/promises';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { PutCommand, QueryCommand } from '@aws-sdk/lib-dynamodb';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { AuditEntry, AuditRecord } from '../../shared/contract/schemas/audit.ts';
import { createAuditor } from '../../shared/security/audit/auditor.ts';
import { openChain, openShards } from '../../shared/security/audit/chain.ts';
import { readHead, readHeads } from '../../shared/security/audit/heads.ts';
import { chainPartition, hashOf, headKey, recordOf } from '../../shared/security/audit/record.ts';
import { openTable } from '../../shared/state/table.ts';
import { clientOptions } from '../local/aws/support.ts';
import { secrets } from '../redaction/secrets.ts';
import { type StateService, startState } from '../state/support.ts';
import { type CuttingProxy, startCuttingProxy } from '../support/cutting-proxy.ts';

let state: StateService;
beforeAll(async () => {
  state = await startState();
});
afterEach(() => state.services.faults.clear());
afterAll(() => state.close());

const entry = (operation: string): AuditEntry => ({
  source: 'api',
  actor: 'alice',
  operation,
  database: 'shop',
  target: null,
  address: '10.1.2.3',
  request_id: 'request-1',
  outcome: 'succeeded',
  started_by: null,
  duration_ms: 3,
  error: null,
  request: null,
  before: { ratio: 0.7, names: ['a', ''] },
  after: null,
});

async function recordsOf(chain: string): Promise<AuditRecord[]> {
  const { Items = [] } = await state.auditTable.documents.send(
    new QueryCommand({
      TableName: state.auditTable.name,
      KeyConditionExpression: 'pk = :chain',
      ExpressionAttributeValues: { ':chain': chainPartition(chain) },
      ConsistentRead: true,
    }),
  );
  return Items.map((item) => {
    const record = recordOf(item);
    if (!record) throw new Error('There is something else among the records');
    return record;
  });
}

describe('a chain', () => {
  let tries = 0;
  test.each([
    ['of 200 writers that know nothing of each other', 200],
    ['of 200 records that one process has to write', 1],
  ])('%s is unbroken', async (what, writers) => {
    tries += 1;
    const chain = `databases/writers-${tries}`;
    // On a machine that is busy with other things, the local DynamoDB needs longer than a call of the API may wait.
    const open = () => openChain(state.auditTable, chain, undefined, 200_000);
    const chains = Array.from({ length: writers }, open);
    const began = performance.now();
    const written = await Promise.all(
      Array.from({ length: 200 }, (_, index) => chains[index % writers]?.append(entry(`operation-${index}`), 90)),
    );
    process.stdout.write(`200 records ${what}: ${Math.round(performance.now() - began)} ms\n`);
    const records = await recordsOf(chain);
    expect(records).toHaveLength(200);
    records.forEach(({ hash, ...record }, index) => {
      expect(record.sequence).toBe(index + 1);
      expect(record.previous_hash).toBe(records[index - 1]?.hash ?? null);
      expect(hash).toBe(hashOf(record));
    });
    expect(new Set(records.map(({ operation }) => operation)).size).toBe(200);
    expect(written.map((record) => record?.hash).sort()).toEqual(records.map(({ hash }) => hash).sort());
    expect(await readHead(state.auditTable, chain)).toMatchObject({ sequence: 200, hash: records.at(-1)?.hash });
  });

  test('of 200 readers has its records in shards, without waiting', async () => {
    const chain = 'databases/readers';
    const began = performance.now();
    await Promise.all(
      Array.from({ length: 200 }, (_, index) =>
        openShards(state.auditTable, chain, undefined, 200_000).append(entry(`read-${index}`), 90),
      ),
    );
    process.stdout.write(`200 records of 200 readers: ${Math.round(performance.now() - began)} ms\n`);
    const heads = await readHeads(state.auditTable, chain);
    expect([...heads.values()].reduce((sum, { sequence }) => sum + sequence, 0)).toBe(200);
    expect(await recordsOf(chain)).toHaveLength(200);
  });

  test('goes on behind what another process has written, and with no earlier time where clocks differ a little', async () => {
    const chain = 'databases/two';
    const ahead = openChain(state.auditTable, chain, () => new Date('2030-01-01T00:00:02Z'));
    const behind = openChain(state.auditTable, chain, () => new Date('2030-01-01T00:00:00Z'));
    await ahead.append(entry('first'), 90);
    await behind.append(entry('second'), 90);
    await ahead.append(entry('third'), 90);
    const records = await recordsOf(chain);
    expect(records.map(({ operation, at }) => [operation, at])).toEqual([
      ['first', '2030-01-01T00:00:02.000Z'],
      ['second', '2030-01-01T00:00:02.000Z'],
      ['third', '2030-01-01T00:00:02.000Z'],
    ]);
  });

  test('writes over no record, even when its head was put back', async () => {
    const chain = 'databases/put-back';
    const now = () => new Date('2030-01-01T00:00:00Z');
    const first = await openChain(state.auditTable, chain, now).append(entry('first'), 90);
    await openChain(state.auditTable, chain, now).append(entry('second'), 90);
    const { sequence, hash, at } = first;
    const Item = { ...headKey(chain), sequence, hash, at };
    await state.auditTable.documents.send(new PutCommand({ TableName: state.auditTable.name, Item }));
    let looks = 0;
    // Its patience is over with the second try.
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => 10_000 * ++looks);
    await expect(
      openChain(state.auditTable, chain, now)
        .append(entry('another'), 90)
        .finally(() => clock.mockRestore()),
    ).rejects.toMatchObject({ code: 'audit_unavailable' });
    expect((await recordsOf(chain)).map(({ operation }) => operation)).toEqual(['first', 'second']);
  });

  test('that cannot be written says so, and goes on afterwards', async () => {
    const chain = openChain(state.auditTable, 'system');
    await chain.append(entry('before'), 90);
    const fault = { service: 'dynamodb', operation: 'TransactWriteItems', status: 400, times: 1 } as const;
    await state.services.faults.set({ ...fault, code: 'AccessDeniedException' });
    await expect(chain.append(entry('never'), 90)).rejects.toMatchObject({
      code: 'audit_unavailable',
      message:
        'Nothing was done or given out, because the audit trail (system) could not be written: AccessDeniedException',
    });
    await chain.append(entry('after'), 90);
    await later(1);
    expect((await recordsOf('system')).map(({ operation }) => operation)).toEqual(['before', 'after']);
  });
});

describe('a chain whose table has stored what was asked for, when the answer is lost', () => {
  let proxy: CuttingProxy;
  let client: DynamoDBClient;
  beforeAll(async () => {
    proxy = await startCuttingProxy(state.services.endpoints.dynamodb);
    client = new DynamoDBClient({ ...clientOptions(proxy.url), maxAttempts: 3 });
  });
  afterAll(async () => {
    client.destroy();
    await proxy.close();
  });
  const openCut = (chain: string) => openChain(openTable(client, state.auditTable.name), chain);

  // The SDK itself asks three times.
  test.each([
    ['once', 1],
    ['more often than the SDK repeats', 4],
  ])('has the record once: %s', async (_, times) => {
    const name = `databases/cut-${times}`;
    const chain = openCut(name);
    await chain.append(entry('before'), 90);
    const before = proxy.cuts;
    proxy.cut('TransactWriteItems', times);
    const written = await chain.append(entry('cut'), 90);
    expect(proxy.cuts - before).toBe(times);
    await chain.append(entry('after'), 90);
    const records = await recordsOf(name);
    expect(records.map(({ operation }) => operation)).toEqual(['before', 'cut', 'after']);
    expect(records[1]).toEqual(written);
  });

  test('has it once, too, when others append meanwhile', async () => {
    const name = 'databases/cut-among-others';
    proxy.cut('TransactWriteItems', 4, () => openChain(state.auditTable, name).append(entry('other'), 90));
    await openCut(name).append(entry('cut'), 90);
    const operations = (await recordsOf(name)).map(({ operation }) => operation);
    expect(operations).toEqual(['cut', 'other', 'other', 'other', 'other']);
  });
});

test('a record keeps no secret of what was asked for, of what was changed, and of its target', async () => {
  const settings = async () => ({ enable_audit: true, max_audit_retention_days: 90 });
  const auditor = createAuditor({ table: state.auditTable, settings });
  const who = { source: 'api', actor: 'alice', database: 'secrets', address: null, request_id: null } as const;
  await fc.assert(
    fc.asyncProperty(fc.oneof(...Object.values(secrets)), async ({ text, hidden }) => {
      const subject = { ...who, operation: 'change', target: text, request: { body: { note: [text] } } };
      await auditor.audited(subject, async (note) => {
        note.before = text;
        note.after = { deep: { deeper: text } };
      });
      expect(JSON.stringify((await recordsOf('databases/secrets')).slice(-2))).not.toContain(hidden);
    }),
    { numRuns: 40 },
  );
});
