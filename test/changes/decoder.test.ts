import { describe, expect, test } from 'vitest';
import { unescapeCopyText } from '../../shared/changes/decoding/copy-text.ts';
import { commitTime, decoder } from '../../shared/changes/decoding/decoder.ts';
import { splitQualified } from '../../shared/changes/decoding/names.ts';
import { NULL, UNCHANGED } from '../../shared/changes/decoding/tuple.ts';

const decode = decoder();

describe('a line of test_decoding', () => {
  test.each([
    ['BEGIN 4294967295', { kind: 'begin', xid: 4294967295 }],
    [
      'COMMIT 761 (at 2026-11-25 01:56:33.2359+00)',
      { kind: 'commit', xid: 761, committedAt: '2026-11-25 01:56:33.2359+00' },
    ],
    [
      "table public.t: INSERT: id[integer]:1 note[text]:'it''s here' gone[text]:null f[double precision]:-Infinity",
      {
        kind: 'insert',
        table: 'public.t',
        row: { columns: ['id', 'note', 'gone', 'f'], values: ['1', "it's here", NULL, '-Infinity'] },
      },
    ],
    ['table public.z: INSERT:', { kind: 'insert', table: 'public.z', row: { columns: [], values: [] } }],
    [
      `table "Odd: ""S".": UPDATE:": INSERT: "we]:ird ""n"[public."t]:y"[]]:'{a}' bits[bit varying]:B'0110'`,
      {
        kind: 'insert',
        table: `"Odd: ""S".": UPDATE:"`,
        row: { columns: ['we]:ird "n', 'bits'], values: ['{a}', '0110'] },
      },
    ],
    [
      'table public.t: UPDATE: old-key: id[integer]:2 new-tuple: id[integer]:3 big[text]:unchanged-toast-datum',
      {
        kind: 'update',
        table: 'public.t',
        old: { columns: ['id'], values: ['2'] },
        row: { columns: ['id', 'big'], values: ['3', UNCHANGED] },
      },
    ],
    [
      'table public.t: UPDATE: "new-tuple:"[text]:\' new-tuple: x[integer]:1\'',
      {
        kind: 'update',
        table: 'public.t',
        old: null,
        row: { columns: ['new-tuple:'], values: [' new-tuple: x[integer]:1'] },
      },
    ],
    ['table a.b: DELETE: (no-tuple-data)', { kind: 'delete', table: 'a.b', old: null }],
    ['table a.b: DELETE: id[bigint]:7', { kind: 'delete', table: 'a.b', old: { columns: ['id'], values: ['7'] } }],
    [
      'table public.a, public."b, c": TRUNCATE: restart_seqs cascade',
      { kind: 'truncate', tables: ['public.a', 'public."b, c"'], cascade: true, restartSequences: true },
    ],
    [
      'table public.a: TRUNCATE: (no-flags)',
      { kind: 'truncate', tables: ['public.a'], cascade: false, restartSequences: false },
    ],
    [
      'message: transactional: 1 prefix: p, sz: 3 content: a prefix: x, sz: 1 content:y',
      { kind: 'message', transactional: true, prefix: 'p', content: ' a prefix: x, sz: 1 content:y' },
    ],
  ])('%s', (line, expected) => {
    expect(decode(line)).toEqual(expected);
    expect(decode(`0/1B87ED0\t${line}`, 10)).toEqual(expected);
  });

  test.each([
    '',
    'BEGIN',
    'COMMIT 12',
    'table public.t: MERGE: id[integer]:1',
    'table t: INSERT: id[integer]:1',
    "table public.t: INSERT: id[integer]:'1",
    'table public.t: INSERT: id:1',
    'table public.t: INSERT: id[integer]:1 ',
    'table public.t: UPDATE: old-key: id[integer]:1',
    'table public.t: DELETE: id[integer]:1 new-tuple: id[integer]:1',
    'table "public.t: INSERT: id[integer]:1',
    'message: transactional: 2 prefix: p, sz: 0 content:',
    'somebody else wrote this',
  ])('is refused when it is not as the server writes it: %s', (line) => {
    expect(() => decode(line)).toThrow();
  });

  test('rows of another form follow each other: fewer, other and more columns', () => {
    const all = [
      'a[integer]:1 b[text]:null',
      'a[integer]:1',
      "c[text]:'x' a[integer]:2",
      "a[integer]:1 b[text]:null d[bit]:B'1'",
    ];
    expect(all.map((row) => decode(`table s.t: INSERT: ${row}`))).toMatchObject([
      { row: { columns: ['a', 'b'], values: ['1', NULL] } },
      { row: { columns: ['a'], values: ['1'] } },
      { row: { columns: ['c', 'a'], values: ['x', '2'] } },
      { row: { columns: ['a', 'b', 'd'], values: ['1', NULL, '1'] } },
    ]);
  });
});

test('names lose their quotes and the escapes of COPY', () => {
  expect(splitQualified('public.t')).toEqual({ schema: 'public', name: 't' });
  expect(splitQualified('"a.b"."c ""d"" \\\\ \\t"')).toEqual({ schema: 'a.b', name: 'c "d" \\ \t' });
  expect(unescapeCopyText('a\\\\n\\n\\t\\b\\f\\r\\v')).toBe('a\\n\n\t\b\f\r\v');
});

test('times of commits have six digits and are in UTC', () => {
  expect(commitTime('2026-11-25 01:56:33.2359+00')).toBe('2026-11-25T01:56:33.235900Z');
  expect(commitTime('2026-11-25 01:56:33+00')).toBe('2026-11-25T01:56:33.000000Z');
  expect(() => commitTime('2026-11-25 01:56:33+01')).toThrow();
});
