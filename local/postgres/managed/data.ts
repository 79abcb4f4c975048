import { chownSync, existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { appendFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { quoteIdentifier } from '../../../shared/postgres/identifiers.ts';
import { freePort } from '../../ports.ts';
import type { Place } from '../folder.ts';
import { endServer, finish, guardServer, launch, untilReady } from '../processes.ts';
import { auroraSql } from './aurora.sql.ts';
import { catalogSql } from './catalog.sql.ts';
import { type ManagedProfile, rdsadmin } from './profile.ts';
import { rolesSql } from './roles.sql.ts';
import { awsSettings } from './settings.ts';

/** Where the settings of the parameter group are, beside `postgresql.conf`. */
export const settingsFileName = 'parameter-group.conf';

export type Passwords = { readonly rdsadmin: string; readonly master: string };

/**
 * Makes the data of a managed server: a cluster that belongs to rdsadmin, with segments of 64 MB, AWS's roles, what it shows and refuses
 * in every database, and the master user. The folder is there whole or not at all.
 *
 * @param programs - of {@link managedPrograms}
 * @throws Error with what the programs said
 */
export async function makeManagedData({
  programs,
  data,
  place,
  profile,
  passwords,
  signal,
}: {
  programs: string;
  data: string;
  place: Place;
  profile: Pick<ManagedProfile, 'kind' | 'version' | 'masterUser'>;
  passwords: Passwords;
  signal?: AbortSignal | undefined;
}): Promise<void> {
  const unfinished = `${data}.unfinished`;
  rmSync(unfinished, { recursive: true, force: true });
  const passwordFile = `${data}.password`;
  try {
    writeFileSync(passwordFile, passwords.rdsadmin, { mode: 0o600 });
    if (place.owner) chownSync(passwordFile, place.owner.uid, place.owner.gid);
    const flags = ['--auth=scram-sha-256', `--username=${rdsadmin}`, `--pwfile=${passwordFile}`];
    const cluster = ['--encoding=UTF8', '--locale=C', '--wal-segsize=64', '--no-sync'];
    await finish(
      launch(join(programs, 'initdb'), [`--pgdata=${unfinished}`, ...flags, ...cluster], place, null),
      signal,
    );
    await appendFile(join(unfinished, 'postgresql.conf'), `\ninclude_if_exists = '${settingsFileName}'\n`);
    await applyProfile({ programs, data: unfinished, place, profile, passwords, signal });
    await writeFile(join(unfinished, 'pg_hba.conf'), accessRules());
    renameSync(unfinished, data);
  } catch (cause) {
    rmSync(unfinished, { recursive: true, force: true });
    signal?.throwIfAborted();
    throw new Error(`The managed server's data could not be made: ${(cause as Error).message}`, { cause });
  } finally {
    rmSync(passwordFile, { force: true });
  }
}

/** Nobody but rdsadmin gets into its database; the words of the refusal are those of RDS, which refuses in the same place. */
export function accessRules(forcesTls = false): string {
  return [
    `host all ${rdsadmin} samehost scram-sha-256`,
    `host ${rdsadmin} all all reject`,
    `${forcesTls ? 'hostssl' : 'host'} all all all scram-sha-256`,
    `${forcesTls ? 'hostssl' : 'host'} replication all all scram-sha-256`,
    '',
  ].join('\n');
}

/** In template1 first, from which all other databases are then made anew. */
async function applyProfile({
  programs,
  data,
  place,
  profile,
  passwords,
  signal,
}: Parameters<typeof makeManagedData>[0]): Promise<void> {
  const port = await freePort();
  const settings = { port: String(port), listen_addresses: '127.0.0.1', unix_socket_directories: '', fsync: 'off' };
  const flags = Object.entries(settings).map(([name, value]) => `--${name}=${value}`);
  const server = launch(join(programs, 'postgres'), ['-D', data, ...flags], place, `${data}.log`);
  const guard = guardServer(server);
  try {
    await untilReady(server, data, signal);
    const run = async (database: string, statements: readonly string[]): Promise<void> => {
      const login = { user: rdsadmin, password: passwords.rdsadmin };
      const client = new pg.Client({ host: '127.0.0.1', port, database, ...login });
      await client.connect();
      try {
        for (const statement of statements) await client.query(statement);
      } finally {
        await client.end();
      }
    };
    const { kind, version, masterUser } = profile;
    const master = quoteIdentifier(masterUser);
    await run('template1', [
      'SET allow_system_table_mods = on',
      rolesSql(version, masterUser, passwords.master),
      catalogSql(awsSettings(profile)),
      ...(kind === 'aurora' ? [auroraSql] : []),
      'CREATE EXTENSION IF NOT EXISTS plpgsql',
    ]);
    await run('postgres', [
      "UPDATE pg_catalog.pg_database SET datistemplate = false WHERE datname = 'template0'",
      'DROP DATABASE template0',
      'CREATE DATABASE template0 TEMPLATE template1 IS_TEMPLATE true ALLOW_CONNECTIONS false',
      'REVOKE CREATE, TEMPORARY ON DATABASE template0 FROM PUBLIC',
      `CREATE DATABASE ${rdsadmin} TEMPLATE template1`,
      `REVOKE ALL ON DATABASE ${rdsadmin} FROM PUBLIC`,
      `ALTER DATABASE template1 OWNER TO ${master}`,
    ]);
    await run(rdsadmin, [
      'DROP DATABASE postgres',
      `CREATE DATABASE postgres TEMPLATE template1 OWNER ${master}`,
      'CREATE TABLE public.rds_heartbeat2 (id int PRIMARY KEY, value bigint)',
      'INSERT INTO public.rds_heartbeat2 VALUES (1, 0)',
    ]);
  } finally {
    await endServer(server);
    guard.kill();
    if (existsSync(`${data}.log`)) rmSync(`${data}.log`);
  }
}
