import { randomBytes } from 'node:crypto';
import { createScratchDatabase, type ScratchDatabase, type TestServer, withClient } from '../servers.ts';
import { bigRowsSql } from './big-rows.sql.ts';
import { foreignSql } from './foreign.sql.ts';
import { invalidIndexStatements, keysSql } from './keys.sql.ts';
import { largeObjectsSql } from './large-objects.sql.ts';
import { namesSql } from './names.sql.ts';
import { privilegesSql } from './privileges.sql.ts';
import { everythingRoles, memberOfAllSql, rolesSql } from './roles.sql.ts';
import { routinesSql } from './routines.sql.ts';
import { sequencesSql } from './sequences.sql.ts';
import { tablesSql } from './tables.sql.ts';
import { triggersSql } from './triggers.sql.ts';
import { typesSql } from './types.sql.ts';
import { valuesSql } from './values.sql.ts';
import { viewsSql } from './views.sql.ts';
import { type LeftOut, runWithoutSuperuser } from './without-superuser.ts';

export interface EverythingOptions {
  /** Bytes of the big values in `big.rows`; the real thing is 50 MB. */
  bigRowBytes?: number;
  name?: string;
}

/**
 * Builds a database with one of everything that PostgreSQL 13 to 18 has. Its roles stay on the server while other databases,
 * such as a restored copy, use them; `drop` removes them when they are free.
 */
export async function createEverything(
  server: TestServer,
  { bigRowBytes = 1_000_000, name = `everything_${randomBytes(6).toString('hex')}` }: EverythingOptions = {},
): Promise<ScratchDatabase> {
  const scratch = await createScratchDatabase(server, name);
  try {
    await withClient(server, name, async (client) => {
      const { rows } = await client.query<{ name: string }>('SELECT name FROM pg_available_extensions');
      const available = new Set(rows.map((row) => row.name));
      const { version } = server;
      const themes = {
        roles: rolesSql + (server.managed ? memberOfAllSql : ''),
        types: typesSql(version),
        values: valuesSql(version),
        tables: tablesSql(version),
        names: namesSql(),
        views: viewsSql(version),
        routines: routinesSql(version),
        triggers: triggersSql(version),
        keys: keysSql(version),
        'invalid index': invalidIndexStatements.prepare,
        sequences: sequencesSql,
        'large objects': largeObjectsSql,
        'big rows': bigRowsSql(bigRowBytes),
        foreign: foreignSql(version, available),
        privileges: privilegesSql(version, name),
      };
      const leftOut: LeftOut = [];
      for (const [theme, sql] of Object.entries(themes)) {
        if (server.managed) await runWithoutSuperuser(client, theme, sql, leftOut);
        else await runTheme(client, theme, sql);
      }
      // It binds the owner as well, and nobody else could read the rows there; docs/platforms/rds.md has it.
      if (server.managed) await client.query('ALTER TABLE guards.secured NO FORCE ROW LEVEL SECURITY');
      await client.query(invalidIndexStatements.fails).catch(() => undefined);
    });
    return { ...scratch, drop: async () => await dropEverything(scratch) };
  } catch (error) {
    await dropEverything(scratch);
    throw error;
  }
}

type Client = Awaited<ReturnType<ScratchDatabase['connect']>>;

/** Sends a theme as one script, which the server itself takes apart; a failure shows where in it. */
async function runTheme(client: Client, theme: string, sql: string): Promise<void> {
  try {
    await client.query(sql);
  } catch (error) {
    const { message, position } = error as Error & { position?: string };
    const at = Number(position ?? 1) - 1;
    const around = position ? `\n...${[...sql].slice(Math.max(0, at - 80), at + 120).join('')}...` : '';
    throw new Error(`Setting up "${theme}" failed: ${message}${around}`, { cause: error });
  }
}

/** Makes the roles on another server, to which such a database is to be restored. */
export async function createEverythingRoles(server: TestServer): Promise<void> {
  await withClient(server, 'postgres', (client) => client.query(rolesSql));
}

async function dropEverything(scratch: ScratchDatabase): Promise<void> {
  await scratch.drop();
  await withClient(scratch.server, 'postgres', async (client) => {
    // A role that another database uses stays.
    for (const role of everythingRoles) {
      await client.query(`DROP ROLE IF EXISTS ${client.escapeIdentifier(role)}`).catch(() => undefined);
    }
  });
}
