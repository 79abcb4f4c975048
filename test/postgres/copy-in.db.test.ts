import { expect, test } from 'vitest';
import { copyIn } from '../../shared/postgres/copy/copy-in.ts';
import { anyServer, withClient } from '../support/servers.ts';

const server = anyServer();
const signal = new AbortController().signal;
const BLOCKS = 3000;
const ROWS = 10;

test('the memory of a block may be used again when the next one is asked for, however late the server takes it', async () => {
  await withClient(server, 'postgres', async (client) => {
    await client.query(`
      CREATE TEMPORARY TABLE taken (block int, filler text);
      CREATE FUNCTION pg_temp.wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.5); RETURN NEW; END $$;
      CREATE TRIGGER wait BEFORE INSERT ON taken FOR EACH ROW WHEN (NEW.block = 0) EXECUTE FUNCTION pg_temp.wait()`);
    const row = (block: number): string => `${String(block).padStart(8, '0')}\t${'x'.repeat(1000)}\n`;
    const memory = Buffer.alloc(ROWS * row(0).length);
    async function* blocks(): AsyncGenerator<Buffer> {
      yield Buffer.from(row(0));
      for (let block = 1; block <= BLOCKS; block++) {
        memory.write(row(block).repeat(ROWS));
        yield memory;
      }
    }
    expect(await copyIn(client, 'COPY taken FROM STDIN', blocks(), signal)).toBe(BLOCKS * ROWS + 1);
    const { rows } = await client.query('SELECT count(DISTINCT block)::int AS blocks FROM taken');
    expect(rows).toEqual([{ blocks: BLOCKS + 1 }]);
  });
});
