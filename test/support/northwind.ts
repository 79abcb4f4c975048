import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createScratchDatabase, type ScratchDatabase, type TestServer, withClient } from './servers.ts';

const FILE = join(import.meta.dirname, '../../../shared/data/northwind.sql');

/** Whether the sample database's script lies beside this repository. It is no part of it. */
export const northwindIsPresent = existsSync(FILE);

/** Loads Northwind, a small shop's database that others have made, into a database of its own. */
export async function createNorthwind(server: TestServer): Promise<ScratchDatabase> {
  const script = await readFile(FILE, 'utf8');
  const scratch = await createScratchDatabase(server);
  // Written for servers that still had this setting.
  await withClient(server, scratch.name, (client) => client.query(script.replace(/^SET default_with_oids .*$/m, '')));
  return scratch;
}
