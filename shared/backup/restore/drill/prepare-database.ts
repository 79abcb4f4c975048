import type pg from 'pg';
import { type ConnectionTarget, connect } from '../../../postgres/connect.ts';
import { quoteIdentifier } from '../../../postgres/identifiers.ts';
import type { SchemaEntry } from '../../../postgres/pg-dump/schema-dump.ts';
import type { RunLogin } from '../../../postgres/run-login/run-login.ts';
import { privilegedExtensionsSql, rightsOnMembersSql } from './prepare-database.sql.ts';

/** Lets the login of a run, and nobody else, work in its database. */
export async function openToRunLogin(control: pg.Client, database: string, { name }: RunLogin): Promise<void> {
  const [scratch, role] = [quoteIdentifier(database), quoteIdentifier(name)];
  await control.query(`REVOKE ALL ON DATABASE ${scratch} FROM PUBLIC`);
  await control.query(`GRANT CONNECT, CREATE, TEMPORARY ON DATABASE ${scratch} TO ${role}`);
}

/**
 * Does in the empty database what the login of the run may not: it lets it create in the schema public, and creates the extensions that only
 * superusers create, where our login is one (or as good as one, as on RDS). None of it is code of the backup: their scripts are
 * the server's own, and nobody else has been in the database yet.
 */
export async function prepareDatabase(
  target: ConnectionTarget,
  database: string,
  { name }: RunLogin,
  entries: readonly SchemaEntry[],
): Promise<void> {
  const client = await connect(target, { kind: 'administering', database, statementTimeoutMs: 0 });
  const role = quoteIdentifier(name);
  try {
    // Until 14 it belongs to a superuser, and everybody may create in it.
    await attempt(client, `GRANT ALL ON SCHEMA public TO ${role} WITH GRANT OPTION`);
    const wanted = new Map(entries.flatMap(placeOf));
    const { rows } = await client.query<{ name: string }>(privilegedExtensionsSql, [[...wanted.keys()]]);
    const privileged = new Set(rows.map((row) => row.name));
    for (const [extension, schema] of wanted) {
      if (!privileged.has(extension)) continue;
      if (schema !== 'public') {
        await client.query(`CREATE SCHEMA IF NOT EXISTS ${quoteIdentifier(schema)}`);
        await client.query(`GRANT ALL ON SCHEMA ${quoteIdentifier(schema)} TO ${role} WITH GRANT OPTION`);
      }
      const create = `CREATE EXTENSION IF NOT EXISTS ${quoteIdentifier(extension)} WITH SCHEMA ${quoteIdentifier(schema)} CASCADE`;
      if (!(await attempt(client, create))) continue;
      const { rows: grants } = await client.query<{ statement: string }>(rightsOnMembersSql, [extension, name]);
      for (const { statement } of grants) await attempt(client, statement);
    }
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** An extension of the backup and its schema, as pg_dump writes them. */
function placeOf({ type, name, sql }: SchemaEntry): [string, string][] {
  if (type !== 'EXTENSION') return [];
  const [, quoted, plain] = / WITH SCHEMA (?:"((?:[^"]|"")+)"|([a-z_][a-z0-9_$]*));/.exec(sql) ?? [];
  const schema = quoted?.replaceAll('""', '"') ?? plain;
  return schema === undefined || schema === 'pg_catalog' ? [] : [[name, schema]];
}

/** @returns false when the server refuses it: what that means for the backup shows when its definitions are created */
async function attempt(client: pg.Client, statement: string): Promise<boolean> {
  return client.query(statement).then(
    () => true,
    (error: { code?: string }) => {
      if (error.code === undefined) throw error;
      return false;
    },
  );
}
