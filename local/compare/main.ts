import type pg from 'pg';
import { connect } from '../../shared/postgres/connect.ts';
import { readAddress } from '../database-url/settings.ts';
import { targetOf } from '../database-url/target.ts';
import { compareDatabases, STATEMENT_MS } from './compare.ts';

const usage = `npm run compare -- <first database> <second database>

Compares two databases of the local server row for row, for instance a sample database that is at rest and its copy:

  . .local/tokens && npm run compare -- shop shop_restored

Addresses (postgres://...) name databases elsewhere. DATABASE_URL, which .local/tokens sets, says where names are looked up.`;

/** Databases by name stand on the server that DATABASE_URL names. An address means what it means to `npm start`. */
function sourceOf(database: string): () => Promise<pg.Client> {
  const isAddress = /^postgres(ql)?:/.test(database);
  const url = isAddress ? database : process.env.DATABASE_URL;
  if (!url) throw new Error(`Which server is "${database}" on? Set DATABASE_URL: . .local/tokens`);
  const address = readAddress(url, process.env);
  const target = targetOf(isAddress ? address : { ...address, database }, STATEMENT_MS, 'compare');
  const limits = { ...target.limits, connect_timeout_ms: address.connectTimeoutMs ?? 10_000 };
  return () => connect({ ...target, limits });
}

const [first, second] = process.argv.slice(2);
try {
  if (first === undefined || second === undefined) throw new Error(usage);
  const result = await compareDatabases(sourceOf(first), sourceOf(second));
  const number = new Intl.NumberFormat('en-US');
  const extent = `${number.format(result.tables)} tables, ${number.format(result.rows)} rows, ${number.format(result.definitions)} definitions`;
  if (result.differences.length === 0) console.log(`Equal: ${extent}`);
  else
    console.log(
      `${result.differences.length === 1 ? '1 difference' : `${number.format(result.differences.length)} differences`} in ${extent}:\n${result.differences.join('\n')}`,
    );
  process.exitCode = result.differences.length === 0 ? 0 : 1;
} catch (error) {
  // It may be DATABASE_URL or an argument.
  console.error(error instanceof Error ? error.message.replace(/^--database-url/, 'The address') : error);
  process.exitCode = 2;
}
