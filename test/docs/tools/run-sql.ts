import { readFileSync } from 'node:fs';
import pg from 'pg';

/** Runs the statements of a file in the database that DATABASE_URL names, as psql -v ON_ERROR_STOP=1 would. */
const [, , file = ''] = process.argv;
const client = new pg.Client({ connectionString: process.env.DATABASE_URL });
await client.connect();
try {
  await client.query(readFileSync(file, 'utf8'));
} finally {
  await client.end();
}
