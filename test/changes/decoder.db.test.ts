import fc from 'fast-check';
import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type DecodedLine, decoder } from '../../shared/changes/decoding/decoder.ts';
import { type Tuple, UNCHANGED } from '../../shared/changes/decoding/tuple.ts';
import { quoteIdentifier } from '../../shared/postgres/identifiers.ts';
import { createScratchDatabase, forEachServer, type ScratchDatabase } from '../support/servers.ts';
import { openSlot, type SlotReader } from './support/peek.ts';

const text = fc.string({ unit: fc.constantFrom(...`aZ09 '"\\[]:,.(){}\n\t\r\b\f\vé€😀-`), maxLength: 12 });

/** SQL types with texts of their values. */
const types: Record<string, fc.Arbitrary<string>> = {
  text,
  'varchar(20)': text,
  'text[]': fc.array(text, { maxLength: 3 }).map(
    (all) =>
      `{${all
        .map((one) =>
          JSON.stringify(one)
            .replaceAll('\\n', '\n')
            .replaceAll(/\\[trbfv]/g, ' '),
        )
        .join()}}`,
  ),
  int4: fc.integer().map(String),
  int8: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
  numeric: fc.oneof(
    fc.constantFrom('NaN', '0.00', '1e30'),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
  ),
  float8: fc.double().map(String),
  float4: fc.float().map(String),
  bool: fc.boolean().map(String),
  'bit varying': fc.string({ unit: fc.constantFrom('0', '1'), maxLength: 9 }),
  bytea: fc.uint8Array({ maxLength: 9 }).map((bytes) => `\\x${Buffer.from(bytes).toString('hex')}`),
  jsonb: fc.json({ maxDepth: 2 }).map((json) => json.replaceAll('\\u0000', '')),
  timestamptz: fc
    .date({ min: new Date('0001-01-02'), max: new Date('9999-01-01'), noInvalidDate: true })
    .map((d) => d.toISOString()),
  interval: fc.integer({ min: -1e6, max: 1e6 }).map((n) => `${n} minutes`),
  money: fc.integer({ min: -1e6, max: 1e6 }).map((n) => `${n / 100}`),
  int4range: fc.integer({ min: 0, max: 99 }).map((n) => `[${n},${n + 5})`),
  '"odd ]: type"': fc.constantFrom('a', "b'c"),
};

const identifier = fc
  .string({ unit: fc.constantFrom(...`aB0_ "'\\[]:.,(\n\té😀`), minLength: 1, maxLength: 10 })
  .filter((name) => Buffer.byteLength(name) < 60);

const tables = fc
  .record({
    name: identifier,
    columns: fc.uniqueArray(fc.record({ name: identifier, type: fc.constantFrom(...Object.keys(types)) }), {
      selector: ({ name }) => name,
      minLength: 1,
      maxLength: 6,
    }),
  })
  .chain(({ name, columns }) =>
    fc.record({
      name: fc.constant(name),
      columns: fc.constant(columns),
      rows: fc.array(fc.tuple(...columns.map(({ type }) => fc.option(types[type] ?? text, { freq: 4 }))), {
        minLength: 2,
        maxLength: 5,
      }),
    }),
  );

/** As COPY writes it: booleans by their first letter. */
const copied = ({ values }: Tuple, columns: readonly { type: string }[]): string =>
  values.map((value, index) => (columns[index]?.type === 'bool' && value !== '\\N' ? value[0] : value)).join('\t');

forEachServer((server) => {
  let database: ScratchDatabase;
  let client: pg.Client;
  let slot: SlotReader;
  beforeAll(async () => {
    database = await createScratchDatabase(server);
    client = await database.connect();
    await client.query(`CREATE SCHEMA "s: .""x"; CREATE TYPE "odd ]: type" AS ENUM ('a', 'b''c')`);
    slot = await openSlot(database);
  });
  afterAll(async () => {
    await slot?.close();
    await client?.end();
    await database?.drop();
  });

  const changes = async (): Promise<DecodedLine[]> => {
    const decode = decoder();
    return (await slot.next()).map((line) => decode(line)).filter(({ kind }) => kind !== 'begin' && kind !== 'commit');
  };
  const latin1 = (name: string): string => Buffer.from(name).toString('latin1');

  test('any row of any table is decoded as COPY writes it', async () => {
    await fc.assert(
      fc.asyncProperty(tables, async ({ name, columns, rows }) => {
        const table = `"s: .""x".${quoteIdentifier(name)}`;
        const definitions = columns.map((column) => `${quoteIdentifier(column.name)} ${column.type}`);
        await client.query(
          `CREATE TABLE ${table} (${definitions.join(', ')}); ALTER TABLE ${table} REPLICA IDENTITY FULL`,
        );
        try {
          const places = columns.map(({ type }, index) => `$${index + 1}::text::${type}`);
          for (const row of rows) await client.query(`INSERT INTO ${table} VALUES (${places.join(', ')})`, row);
          const expected = await slot.copy(`SELECT * FROM ${table}`);
          const first = quoteIdentifier(columns[0]?.name ?? '');
          await client.query(`UPDATE ${table} SET ${first} = ${first}`);
          await client.query(`DELETE FROM ${table}`);
          const found = await changes();
          const named = columns.map((column) => latin1(column.name));
          const inserted = found.flatMap((line) => (line.kind === 'insert' ? [line.row] : []));
          expect(inserted.map((row) => copied(row, columns))).toEqual(expected);
          expect(inserted[0]?.columns).toEqual(named);
          const updated = found.flatMap((line) => (line.kind === 'update' ? [line] : []));
          expect(updated.map(({ row }) => copied(row, columns))).toEqual(expected);
          // Old rows leave NULLs out.
          const present = ({ columns: of, values }: Tuple) => of.map((column, index) => [column, values[index]]);
          const without = inserted.map((row) => present(row).filter(([, value]) => value !== '\\N'));
          expect(updated.map(({ old }) => old && present(old))).toEqual(without);
          const deleted = found.flatMap((line) => (line.kind === 'delete' ? [line.old] : []));
          expect(deleted.map((old) => old && present(old))).toEqual(without);
        } finally {
          await client.query(`DROP TABLE ${table}`);
        }
      }),
      { numRuns: 60 },
    );
  });

  test('large values that an update leaves alone, keys, truncation and messages', async () => {
    await client.query(`
      CREATE TABLE parent (id int PRIMARY KEY, big text, small int);
      ALTER TABLE parent ALTER big SET STORAGE EXTERNAL;
      CREATE TABLE child (id int REFERENCES parent, n serial);
      CREATE TABLE bare (n int)`);
    await changes();
    await client.query(`
      INSERT INTO parent VALUES (1, repeat('x', 10000), 1); INSERT INTO bare VALUES (1);
      UPDATE parent SET small = 2; UPDATE parent SET id = 2; UPDATE bare SET n = 2; DELETE FROM bare; DELETE FROM parent;
      TRUNCATE parent RESTART IDENTITY CASCADE; TRUNCATE bare;
      SELECT pg_logical_emit_message(true, 'a, sz: 1', E'b\\nc'); SELECT pg_logical_emit_message(false, 'other', 'd')`);
    const found = await changes();
    expect(found.filter(({ kind }) => kind !== 'insert')).toEqual([
      // Written at once, before the transaction it is in.
      { kind: 'message', transactional: false, prefix: 'other', content: 'd' },
      {
        kind: 'update',
        table: 'public.parent',
        old: null,
        row: { columns: ['id', 'big', 'small'], values: ['1', UNCHANGED, '2'] },
      },
      {
        kind: 'update',
        table: 'public.parent',
        old: { columns: ['id'], values: ['1'] },
        row: { columns: ['id', 'big', 'small'], values: ['2', UNCHANGED, '2'] },
      },
      { kind: 'update', table: 'public.bare', old: null, row: { columns: ['n'], values: ['2'] } },
      { kind: 'delete', table: 'public.bare', old: null },
      { kind: 'delete', table: 'public.parent', old: { columns: ['id'], values: ['2'] } },
      { kind: 'truncate', tables: ['public.parent', 'public.child'], cascade: true, restartSequences: true },
      { kind: 'truncate', tables: ['public.bare'], cascade: false, restartSequences: false },
      { kind: 'message', transactional: true, prefix: 'a, sz: 1', content: 'b\\nc' },
    ]);
  });
});
