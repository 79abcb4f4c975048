import { createHash, randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { lineScanner } from '../../shared/changes/capture/line-scanner.ts';
import { startTally } from '../../shared/changes/capture/tally.ts';
import { judgeDefinitionChange } from '../../shared/changes/definitions/judge.ts';
import { openVerifier, type Signing } from '../../shared/changes/definitions/signature.ts';
import { recordUnauthenticated } from '../../shared/security/audit/subjects.ts';

const part = () => randomBytes(64).toString('hex');
const key = { inner: part(), outer: part() };
const signing: Signing = { keys: [{ inner: part(), outer: part() }, key], since: '1000' };

const settings = {
  search_path: '"$user", public',
  TimeZone: 'Europe/Berlin',
  DateStyle: 'ISO, MDY',
  IntervalStyle: 'postgres',
  xmloption: 'content',
  standard_conforming_strings: 'on',
  default_table_access_method: 'heap',
  default_tablespace: '',
};
const message = {
  ...{ id: 'a', xid: '2000', event: 'ddl_command_end', tag: 'CREATE TABLE', nested: false, oversized: false },
  ...{ role: 'app', rights: ['createdb'], settings, views: [], missing: [], query: 'CREATE TABLE t (n int)' },
};

function signed(text: string, { inner, outer } = key): string {
  const digest = createHash('sha256').update(Buffer.from(inner, 'hex')).update(text).digest();
  const signature = createHash('sha256').update(Buffer.from(outer, 'hex')).update(digest).digest('hex');
  return `2 ${signature} ${text}`.replaceAll('\\', '\\\\');
}

const written = (more: object = {}): string => JSON.stringify({ ...message, ...more });
const inTransaction = (xid = 2000n) => ({ xid, heard: new Set<string>() });

describe('a message in the log', () => {
  const verify = openVerifier(signing);

  test('is authentic when one of the keys has signed it for its transaction', () => {
    const verdict = verify(signed(written()), inTransaction());
    expect(verdict).toMatchObject({ kind: 'authentic', message: { event: 'end', role: 'app', rights: ['createdb'] } });
    expect(verify(signed(written(), signing.keys[0]), inTransaction()).kind).toBe('authentic');
  });

  test.for([
    ['signed with another key', signed(written(), { inner: part(), outer: part() }), 2000n],
    [
      'signed with the parts of the key in the other order',
      signed(written(), { inner: key.outer, outer: key.inner }),
      2000n,
    ],
    ['of another text than was signed', signed(written()).replace('CREATE TABLE t', 'CREATE TABLE u'), 2000n],
    ['without a signature', `2 unsigned ${written()}`, 2000n],
    ['of a signature that is too short', `2 abcd ${written()}`, 2000n],
    ['of another transaction', signed(written()), 2001n],
    ['of the same bits of another transaction', signed(written()), 2000n + (1n << 32n)],
    ['as of the first version', written(), 2000n],
    ['nothing that can be read', 'nothing', 2000n],
  ] as const)('is ignored when it is %s', ([, content, xid]) => {
    expect(verify(content, inTransaction(xid)).kind).toBe('unauthenticated');
  });

  test('holds once in its transaction', () => {
    const transaction = inTransaction();
    const kinds = [written(), written({ id: 'b' }), written()].map((text) => verify(signed(text), transaction).kind);
    expect(kinds).toEqual(['authentic', 'authentic', 'unauthenticated']);
  });

  test('may be unsigned only in transactions from before the event triggers signed', () => {
    const unsigned = written().replaceAll('\\', '\\\\');
    expect(verify(unsigned, inTransaction(999n)).kind).toBe('unsigned');
    expect(verify(unsigned, inTransaction(1000n)).kind).toBe('unauthenticated');
    expect(openVerifier(null)(unsigned, inTransaction()).kind).toBe('unsigned');
    expect(openVerifier(null)('nothing', inTransaction()).kind).toBe('unauthenticated');
  });

  test.for([
    { search_path: "a'; DROP TABLE t; --" },
    { TimeZone: "x'; SELECT 1" },
    { DateStyle: 'none' },
    { standard_conforming_strings: 'perhaps' },
    { role: 'postgres' },
    { session_replication_role: 'replica' },
  ])('with a setting that cannot be is of no known version: %o', (more) => {
    const text = written({ settings: { ...settings, ...more } });
    expect(verify(signed(text), inTransaction()).kind).toBe('unknown_version');
  });

  test('is not repeated where the text of a command depends on how its strings are read, or is cut', () => {
    const judged = (more: object) => {
      const verdict = verify(signed(written(more)), inTransaction());
      return verdict.kind === 'authentic' ? judgeDefinitionChange(verdict.message) : verdict;
    };
    expect(judged({})).toEqual({ kind: 'text' });
    const obstacle = (reason: string) => ({ kind: 'obstacle', reason: expect.stringContaining(reason) });
    expect(judged({ settings: { ...settings, standard_conforming_strings: 'off' } })).toEqual(obstacle('strings off'));
    expect(judged({ oversized: true })).toEqual(obstacle('too long'));
    expect(judged({ query: 'CREATE TABLE t AS SELECT $1 AS a' })).toEqual(obstacle('with parameters'));
    expect(judged({ nested: true })).toEqual(obstacle('function or a DO block'));
  });
});

describe('a capture', () => {
  test('judges long messages whole, and keeps no more than the head of any other line', () => {
    const verify = openVerifier(signing);
    const { tally, add } = startTally({ verify, xid: 2000n });
    const scan = lineScanner();
    const heads: number[] = [];
    const query = `CREATE TABLE t (n int) --${'x'.repeat(1_000_000)}`;
    const content = signed(written({ query }));
    const lines = [
      '0/1\tBEGIN 2000',
      `0/2\tmessage: transactional: 1 prefix: dbms_changes, sz: 1 content:${content}`,
      `0/3\tmessage: transactional: 1 prefix: other, sz: 1 content:${'y'.repeat(1_000_000)}`,
      `0/4\tmessage: transactional: 1 prefix: dbms_changes, sz: 1 content:${'z'.repeat(20_000_000)}`,
      '0/5\tCOMMIT 2000 (at 2026-03-01 00:00:00+00)',
    ];
    const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
    for (let at = 0; at < bytes.length; at += 65_000) {
      scan(bytes.subarray(at, at + 65_000), (head) => {
        heads.push(head.length);
        add(head);
      });
    }
    expect(tally.commands).toMatchObject([{ tag: 'CREATE TABLE', role: 'app' }]);
    expect(tally.commands[0]?.query.length).toBe(query.length);
    expect([tally.unauthenticated, tally.transactions]).toEqual([1, 1]);
    expect(heads.slice(2, 4)).toEqual([65_536, 8_388_608]);
  });

  test('records attempts once, with what they claim, and who claims it as unknown', async () => {
    const records: unknown[] = [];
    const happened = async (...record: unknown[]) => {
      records.push(record);
      return null;
    };
    const claimed = { tag: 'ALTER TABLE', role: 'postgres', query: 'ALTER ROLE mallory SUPERUSER' };
    await recordUnauthenticated({ happened }, 'shop')({ count: 7, claims: [{ xid: '5', claimed }] });
    expect(records).toEqual([
      [
        expect.objectContaining({
          actor: 'unknown',
          operation: 'unauthenticated definition messages',
          request: { count: 7, first: [{ transaction: '5', claimed }] },
          claimed: ['request'],
        }),
        { outcome: 'refused', error: 'definition_not_authenticated' },
      ],
    ]);
  });
});
