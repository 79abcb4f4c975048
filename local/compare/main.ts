import { compareDatabases } from './compare.ts';

const usage = `npm run compare -- <first database> <second database>

Compares two databases of the local server row for row, for instance a sample database that is at rest and its copy:

  . .local/tokens && npm run compare -- shop shop_restored

Addresses (postgres://...) name databases elsewhere. DATABASE_URL, which .local/tokens sets, says where names are looked up.`;

/** Databases by name stand on the server that DATABASE_URL names. */
function addressOf(database: string): string {
  if (/^postgres(ql)?:/.test(database)) return database;
  const url = new URL(process.env.DATABASE_URL ?? 'none:');
  if (url.hostname === '') throw new Error(`Which server is "${database}" on? Set DATABASE_URL: . .local/tokens`);
  url.pathname = `/${encodeURIComponent(database)}`;
  return url.href;
}

const [first, second] = process.argv.slice(2);
try {
  if (first === undefined || second === undefined) throw new Error(usage);
  const result = await compareDatabases(
    { connectionString: addressOf(first) },
    { connectionString: addressOf(second) },
  );
  const number = new Intl.NumberFormat('en-US');
  const extent = `${number.format(result.tables)} tables, ${number.format(result.rows)} rows, ${number.format(result.definitions)} definitions`;
  if (result.differences.length === 0) console.log(`Equal: ${extent}`);
  else console.log(`${result.differences.length} differences in ${extent}:\n${result.differences.join('\n')}`);
  process.exitCode = result.differences.length === 0 ? 0 : 1;
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
}
