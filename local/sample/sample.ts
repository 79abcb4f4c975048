import pg from 'pg';
import type { LocalPostgres } from '../postgres/server.ts';
import { dataSql } from './data.sql.ts';
import { schemaSql } from './schema.sql.ts';

export const sampleDatabase = 'shop';

/**
 * Makes the sample shop database unless it is there. It is filled under another name first, so that one called `shop` is whole.
 *
 * @returns whether it was made now.
 */
export async function createSampleDatabase({ host, port, user, password }: LocalPostgres): Promise<boolean> {
  const unfinished = `${sampleDatabase}_unfinished`;
  const server = { host, port, user, password };
  return withClient({ ...server, database: 'postgres' }, async (administrator) => {
    const { rowCount } = await administrator.query('SELECT FROM pg_database WHERE datname = $1', [sampleDatabase]);
    if (rowCount) return false;
    await administrator.query(`DROP DATABASE IF EXISTS ${unfinished}`);
    await administrator.query(`CREATE DATABASE ${unfinished}`);
    await withClient({ ...server, database: unfinished }, async (client) => {
      await client.query(schemaSql);
      await client.query(dataSql);
    });
    await administrator.query(`ALTER DATABASE ${unfinished} RENAME TO ${sampleDatabase}`);
    return true;
  });
}

async function withClient<Result>(
  config: pg.ClientConfig,
  work: (client: pg.Client) => Promise<Result>,
): Promise<Result> {
  const client = new pg.Client(config);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
