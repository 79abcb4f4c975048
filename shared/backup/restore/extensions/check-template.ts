import type pg from 'pg';
import { OperationError } from '../../../errors.ts';
import { listed } from '../../../listed.ts';
import { type ConnectionTarget, connect } from '../../../postgres/connect.ts';
import type { Finding } from '../findings.ts';
import type { ExpectedExtensions, TailoredBackup } from '../tailor.ts';
import { templateSql } from './facts.sql.ts';

interface Template {
  encoding: string;
  collate: string;
  copyable: boolean;
}

/**
 * Looks whether a new database can be copied from the one that has the expected extensions. Its own session there is over when it returns, as
 * nobody may be connected while it is copied.
 *
 * @param client - on the server, in another database
 */
export async function checkTemplate(
  client: pg.Client,
  { manifest }: Pick<TailoredBackup, 'manifest'>,
  { extensions, template }: ExpectedExtensions,
  target: ConnectionTarget,
): Promise<Finding[]> {
  const problem = (message: string, nextStep: string): Finding => ({ code: 'template_unusable', message, nextStep });
  const [found] = (await client.query<Template>(templateSql, [template])).rows;
  if (!found) {
    return [problem(`There is no database named "${template}" to copy from`, 'Create it, with the extensions in it.')];
  }
  const findings: Finding[] = [];
  if (!found.copyable) {
    findings.push(
      problem(
        `The login may not copy the database "${template}", as it does not own it`,
        `Run ALTER DATABASE "${template.replaceAll('"', '""')}" IS_TEMPLATE true.`,
      ),
    );
  }
  const { encoding, collate } = manifest.database_properties;
  if (found.encoding !== encoding) {
    findings.push(
      problem(
        `The database "${template}" has the encoding ${found.encoding}, the backup ${encoding}`,
        `Create it anew with ENCODING '${encoding}' TEMPLATE template0.`,
      ),
    );
  } else if (found.collate !== collate) {
    findings.push(
      problem(
        `The database "${template}" sorts as ${found.collate}, the backup as ${collate}`,
        `Create it anew with LC_COLLATE '${collate}' TEMPLATE template0.`,
      ),
    );
  }
  const missing = await missingIn(target, template, extensions);
  if (typeof missing !== 'string' && missing.length > 0) {
    findings.push(
      problem(
        `The database "${template}" does not have the extensions ${listed(missing)}`,
        'Create them there as a role that may, or leave them out.',
      ),
    );
  }
  if (typeof missing === 'string') {
    findings.push(
      problem(`The database "${template}" cannot be looked into: ${missing}`, 'GRANT CONNECT on it to the login.'),
    );
  }
  return findings;
}

/** Those that are not there, or why nobody knows. */
async function missingIn(
  target: ConnectionTarget,
  database: string,
  extensions: readonly string[],
): Promise<string[] | string> {
  try {
    const client = await connect(target, { kind: 'administering', database });
    try {
      const { rows } = await client.query<{ name: string }>('SELECT extname AS name FROM pg_catalog.pg_extension');
      const present = new Set(rows.map(({ name }) => name));
      return extensions.filter((name) => !present.has(name));
    } finally {
      await client.end().catch(() => undefined);
    }
  } catch (error) {
    if (error instanceof OperationError) return error.message;
    throw error;
  }
}
