import { expect, test } from 'vitest';
import { copyOutSql, listTables, planChunks } from '../../shared/backup/plan/plan.ts';
import { createScratchDatabase, forEachServer, withClient } from '../support/servers.ts';

const BLOCK = 8192;
/** Any server reads named places; only those before 14 must. */
const OLD_SERVER = 130_000;

forEachServer((server) => {
  test('where a server does not read ranges of pages, naming the places of rows reads each row once, page by page', async () => {
    const source = await createScratchDatabase(server);
    try {
      await withClient(server, source.name, async (client) => {
        await client.query(`
          CREATE TABLE mixed (id int, note text) WITH (autovacuum_enabled = off, fillfactor = 70);
          INSERT INTO mixed SELECT n, CASE WHEN n % 7 = 0 THEN repeat('long ', n % 200) END FROM generate_series(1, 9000) AS n;
          DELETE FROM mixed WHERE id % 5 = 0;
          UPDATE mixed SET note = 'again' WHERE id % 11 = 0;
          CREATE TABLE narrow () WITH (autovacuum_enabled = off);
          INSERT INTO narrow SELECT FROM generate_series(1, 2000)`);
        const { tables, rangeable } = await listTables(client);
        const { chunks } = planChunks(tables, {
          rangeable,
          serverVersion: OLD_SERVER,
          blockSize: BLOCK,
          chunkBytes: 5 * BLOCK,
          wholeBytes: 0,
        });
        for (const name of ['mixed', 'narrow']) {
          const own = chunks.filter(({ table }) => table.name === name).sort((a, b) => a.index - b.index);
          expect(own.length).toBeGreaterThan(name === 'mixed' ? 9 : 1);
          const places = [];
          for (const chunk of own) {
            const select = /^COPY \(([\s\S]*)\) TO STDOUT/.exec(copyOutSql(chunk, 'UTF8'))?.[1] ?? '';
            const plan = await client.query(`EXPLAIN ${select}`);
            expect(plan.rows.map((row) => row['QUERY PLAN']).join('\n')).toMatch(/^Tid Scan/);
            const { rows } = await client.query(select.replace(/^SELECT .* FROM ONLY/, 'SELECT ctid::text FROM ONLY'));
            places.push(...rows.map(({ ctid }) => ctid));
          }
          const { rows } = await client.query(`SELECT ctid::text FROM ${name} ORDER BY ${name}.ctid`);
          expect(places).toEqual(rows.map(({ ctid }) => ctid));
        }
      });
    } finally {
      await source.drop();
    }
  });
});
