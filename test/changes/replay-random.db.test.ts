import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { quoteIdentifier } from '../../shared/postgres/identifiers.ts';
import { useBackupHarness } from '../backup/support/harness.ts';
import { createScratchDatabase, forEachServer, type ScratchDatabase } from '../support/servers.ts';
import { contentOfDatabase, copyBase, type Protected, protect, replayTo, using } from './support/recovery.ts';

const harness = useBackupHarness();

forEachServer((server) => {
  let source: ScratchDatabase;
  let guarded: Protected;
  beforeAll(async () => {
    source = await createScratchDatabase(server);
    await using(source, (client) => client.query('CREATE TABLE steps (n int PRIMARY KEY)'));
    guarded = await protect(harness, source);
    await guarded.release();
  });
  afterAll(async () => {
    await guarded?.end();
    await source?.drop();
  });

  describe('random tables and histories', () => {
    const columnTypes = ['int', 'text', 'numeric', 'bytea', 'jsonb', 'bool', 'text[]'] as const;
    const values: Record<(typeof columnTypes)[number], fc.Arbitrary<string>> = {
      int: fc.integer({ min: -9, max: 9 }).map(String),
      text: fc.string({ unit: fc.constantFrom(...`a'"\\\t\n,é `), maxLength: 5 }),
      numeric: fc.constantFrom('1', '1.0', '1.00', 'NaN', '-7.5'),
      bytea: fc.constantFrom('\\x', '\\x00ff'),
      jsonb: fc.constantFrom('null', '{"a": [1, "b\'"]}'),
      bool: fc.boolean().map(String),
      'text[]': fc.constantFrom('{}', '{NULL,"a,b"}'),
    };
    const tables = fc.record({
      name: fc.string({ unit: fc.constantFrom(...`aB "'.\\é`), minLength: 1, maxLength: 6 }),
      identity: fc.constantFrom('key', 'full', 'key and full'),
      columns: fc.uniqueArray(
        fc.record({
          name: fc.string({ unit: fc.constantFrom(...`xY "[]:`), minLength: 1, maxLength: 4 }),
          type: fc.constantFrom(...columnTypes),
        }),
        {
          selector: ({ name }) => name,
          minLength: 1,
          maxLength: 4,
        },
      ),
    });
    const step = fc.record({
      kind: fc.constantFrom('insert', 'insert', 'insert', 'update', 'key', 'delete', 'truncate', 'large'),
      id: fc.integer({ min: 0, max: 5 }),
      column: fc.nat(3),
      picks: fc.array(fc.nat(1000), { minLength: 4, maxLength: 4 }),
      end: fc.constantFrom('go on', 'go on', 'commit', 'commit', 'roll back'),
    });
    let number = 0;

    test('come back equal at any of their commits', { timeout: 300_000 }, async () => {
      await fc.assert(
        fc.asyncProperty(
          tables,
          fc.array(step, { minLength: 5, maxLength: 40 }),
          fc.nat(),
          async ({ name, identity, columns }, steps, choice) => {
            number += 1;
            const schema = `random_${number}`;
            const table = `${schema}.${quoteIdentifier(name)}`;
            const id = '"id of it"';
            await using(source, async (client) => {
              await client.query(`CREATE SCHEMA ${schema}`);
              const definitions = columns.map((column) => `${quoteIdentifier(column.name)} ${column.type}`);
              await client.query(
                `CREATE TABLE ${table} (${id} numeric${identity === 'full' ? '' : ' PRIMARY KEY'}, ${definitions.join(', ')}, large text)`,
              );
              if (identity !== 'key') await client.query(`ALTER TABLE ${table} REPLICA IDENTITY FULL`);
              await client.query(`ALTER TABLE ${table} ALTER large SET STORAGE EXTERNAL`);
            });
            await guarded.capture();
            const base = await copyBase(source);
            const moments: { xid: bigint; content: unknown }[] = [];
            await using(source, async (client) => {
              const literal = (type: (typeof columnTypes)[number], pick: number): string | null =>
                pick % 5 === 0 ? null : (fc.sample(values[type], { numRuns: 1, seed: pick })[0] ?? null);
              await client.query('BEGIN');
              for (const { kind, id: key, column, picks, end } of steps) {
                const chosen = columns[column % columns.length] ?? { name: '', type: 'int' as const };
                const value = literal(chosen.type, picks[0] ?? 0);
                await client.query('SAVEPOINT s');
                try {
                  if (kind === 'insert') {
                    const row = columns.map(({ type }, index) => literal(type, picks[index % 4] ?? 0));
                    await client.query(
                      `INSERT INTO ${table} VALUES ($1, ${row.map((_, index) => `$${index + 2}`).join(', ')}, 'small')`,
                      [key, ...row],
                    );
                  } else if (kind === 'update')
                    await client.query(`UPDATE ${table} SET ${quoteIdentifier(chosen.name)} = $1 WHERE ${id} = $2`, [
                      value,
                      key,
                    ]);
                  else if (kind === 'large')
                    await client.query(`UPDATE ${table} SET large = repeat($1, 6000) WHERE ${id} = $2`, [
                      String(key),
                      key,
                    ]);
                  else if (kind === 'key')
                    await client.query(`UPDATE ${table} SET ${id} = $1 WHERE ${id} = $2`, [
                      `${(picks[0] ?? 0) % 6}.00`,
                      key,
                    ]);
                  else if (kind === 'delete') await client.query(`DELETE FROM ${table} WHERE ${id} = $1`, [key]);
                  else if ((picks[0] ?? 0) % 4 === 0) await client.query(`TRUNCATE ${table}`);
                } catch {
                  await client.query('ROLLBACK TO SAVEPOINT s');
                }
                if (end === 'go on') continue;
                // A transaction that changes nothing is no moment of its own.
                await client.query('INSERT INTO steps SELECT coalesce(max(n), 0) + 1 FROM steps');
                const { rows } = await client.query('SELECT pg_current_xact_id()::text AS xid');
                await client.query(end === 'commit' ? 'COMMIT' : 'ROLLBACK');
                if (end === 'commit')
                  moments.push({ xid: BigInt(rows[0].xid), content: await contentOfDatabase(source) });
                await client.query('BEGIN');
              }
              await client.query('COMMIT');
            });
            await guarded.capture({ segmentBytes: 500 });
            const moment = moments[choice % Math.max(1, moments.length)];
            if (moment) {
              const replayed = await replayTo(harness, guarded.of, base, { transaction: moment.xid });
              expect(await contentOfDatabase(replayed)).toEqual(moment.content);
              await replayed.drop();
            }
            await base.drop();
            await using(source, (client) => client.query(`DROP TABLE ${table}`));
          },
        ),
        { numRuns: 10, interruptAfterTimeLimit: 280_000 },
      );
    });
  });
});
