import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect } from '../../../shared/postgres/connect.ts';
import { otherAuthority } from '../../postgres/support/client-certificate.ts';
import { certificate } from '../../postgres/support/localhost-certificate.ts';
import type { OwnServer } from '../../postgres/support/own-server.ts';
import type { Arranged, Fault } from '../fault.ts';

const secret = 'Tr0ub4dor';

/** Makes the logins that the rows use; `plain` is without TLS. */
export async function prepare(server: OwnServer): Promise<void> {
  const client = await connect(server.target());
  await client.query(`
    CREATE ROLE me LOGIN PASSWORD '${secret}';
    CREATE ROLE trusted NOLOGIN;
    CREATE ROLE limited LOGIN PASSWORD '${secret}' CONNECTION LIMIT 0;
    CREATE ROLE only_tls LOGIN PASSWORD '${secret}'`);
  await client.query('CREATE DATABASE closed');
  await client.query('REVOKE CONNECT ON DATABASE closed FROM PUBLIC');
  await client.end();
}

interface Row {
  user?: string;
  password?: string | null;
  host?: string;
  name?: string;
  query?: string;
  environment?: Record<string, string>;
  /** Files by name, with their modes. */
  files?: Record<string, { text: string; mode?: number }>;
}

/** Servers that are there and refuse, each for another reason. */
export function refusals(server: () => OwnServer, plain: () => OwnServer): readonly Fault[] {
  const row = (name: string, given: Row, says: RegExp[], at = server): Fault => ({
    name: `login: ${name}`,
    async arrange(folder): Promise<Arranged> {
      const { user = 'me', password = secret, host = '127.0.0.1', query = '', environment, files = {} } = given;
      for (const [file, { text, mode = 0o600 }] of Object.entries(files)) {
        await writeFile(join(folder, file), text.replace('PORT', String(at().port)), { mode });
      }
      const login = password === null ? user : `${user}:${password}`;
      return {
        options: ['--database-url', `postgres://${login}@${host}:${at().port}/${given.name ?? 'postgres'}${query}`],
        exitCode: 1,
        says: [...says, /^ {2}Hint: \S/m],
        secret,
        ...(environment ? { environment } : {}),
      };
    },
  });
  return [
    row('wrong password', { password: `${secret}x` }, [/refused the password of user "me"/, /came from the address/]),
    row('wrong password in PGPASSWORD', { password: null, environment: { PGPASSWORD: `${secret}x` } }, [
      /refused the password of user "me"/,
      /came from PGPASSWORD/,
    ]),
    row('wrong password in ~/.pgpass', { password: null, files: { '.pgpass': { text: `*:*:*:me:${secret}x\n` } } }, [
      /refused the password of user "me"/,
      /came from the password file \S+\/\.pgpass/,
    ]),
    row('no password', { password: null }, [
      /asks for a password of user "me", and there is none/,
      /write the line 127\.0\.0\.1:\d+:postgres:me:password into \S+\.pgpass and run: chmod 600/,
    ]),
    row(
      'a password file that others may read',
      { password: null, files: { '.pgpass': { text: `127.0.0.1:PORT:*:me:${secret}\n`, mode: 0o644 } } },
      [/there is none/, /\.pgpass is not used: others have access to it\. Run: chmod 600/],
    ),
    row('no such user', { user: 'nobody_here' }, [
      /refused the password of user "nobody_here"/,
      /users that do not exist/,
    ]),
    row('a user that may not log in', { user: 'trusted' }, [
      /does not let user "trusted" in; the server said: role "trusted" is not permitted to log in/,
      /ALTER ROLE "?trusted"? LOGIN;/,
    ]),
    row('a user without a free session', { user: 'limited' }, [/has no connection left/, /CONNECTION LIMIT/]),
    row('no such database', { name: 'shpo' }, [/has no database "shpo"/, /CREATE DATABASE "?shpo"?;/]),
    row('a database that takes no sessions', { name: 'template0' }, [/"template0" takes no connections/]),
    row('no right to connect', { name: 'closed' }, [
      /user "me" may not connect to the database "closed"/,
      /GRANT CONNECT ON DATABASE "?closed"? TO "?me"?;/,
    ]),
    row('TLS is needed and turned off', { user: 'only_tls', query: '?sslmode=disable' }, [
      /does not let user "only_tls" in; the server said: pg_hba\.conf rejects/,
      /sslmode=require/,
    ]),
    row('a server without TLS', { query: '?sslmode=require' }, [/has no TLS, which sslmode=require needs/], plain),
    row(
      'an untrusted certificate',
      {
        host: 'localhost',
        query: '?sslmode=verify-full&sslrootcert=ca.pem',
        files: { 'ca.pem': { text: otherAuthority } },
      },
      [/signed by no authority that is trusted here/, /sslrootcert=FILE/],
    ),
    row(
      'an untrusted certificate with require',
      { query: '?sslmode=require&sslrootcert=ca.pem', files: { 'ca.pem': { text: otherAuthority } } },
      [/signed by no authority that is trusted here/],
    ),
    row(
      'a certificate for another host',
      { query: '?sslmode=verify-full&sslrootcert=ca.pem', files: { 'ca.pem': { text: certificate } } },
      [/is for another host: DNS:localhost/, /sslmode=verify-ca/],
    ),
  ];
}
