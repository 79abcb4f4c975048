import { execFile } from 'node:child_process';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ConnectionTarget, type Credentials, connect } from '../../shared/postgres/connect.ts';
import { dumpSchema } from '../../shared/postgres/pg-dump/dump-schema.ts';
import { embeddedBinaries, installedBinaries, type PostgresBinaries } from '../support/postgres-binaries.ts';
import { psqlIsInstalled } from '../support/psql.ts';
import { clientCertificate, clientKey, otherAuthority } from './support/client-certificate.ts';
import { certificate as ca } from './support/localhost-certificate.ts';
import { type OwnServer, ownServer, PASSWORD } from './support/own-server.ts';

const run = promisify(execFile);

if (!psqlIsInstalled) process.stderr.write('SKIPPED: psql is not installed to compare TLS modes with\n');

type Tls = ConnectionTarget['tls'];

/** Of a version that a native pg_dump is there for, if any. */
let binaries: PostgresBinaries;
/** One with TLS, which listens on a socket in its folder as well, and one without. */
let server: OwnServer;
let plain: OwnServer;
const me = userInfo().username;

beforeAll(async () => {
  binaries = (await installedBinaries()).find(({ pgDump }) => pgDump) ?? (await embeddedBinaries());
  server = await ownServer(binaries, { unix_socket_directories: '.' });
  plain = await ownServer(await embeddedBinaries(), { ssl: 'off' });
  for (const each of [server, plain]) {
    const client = await connect(each.target());
    for (const role of ['trusted', 'only_tls', 'only_plain', 'certified'])
      await client.query(`CREATE ROLE ${role} LOGIN PASSWORD '${PASSWORD}'`);
    await client.query(`CREATE ROLE ${JSON.stringify(me)} LOGIN`).catch(() => undefined);
    await client.end();
  }
});
afterAll(async () => {
  await server?.remove();
  await plain?.remove();
});

const as =
  (user: string, more: Partial<Credentials> = {}): ConnectionTarget['credentials'] =>
  async () => ({ user, password: PASSWORD, ...more });

/** Whether a connection comes about encrypted, plain, or not at all: then the code of the error. */
async function outcome(
  at: OwnServer,
  tls: Tls,
  { host = 'localhost', credentials = as('postgres') }: Partial<Pick<ConnectionTarget, 'host' | 'credentials'>> = {},
): Promise<string> {
  const client = await connect(at.target({ host, tls, credentials })).catch((error) => error);
  if (client instanceof Error) return (client as { code?: string }).code ?? client.message;
  const { rows } = await client.query('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()');
  await client.end();
  return rows[0].ssl ? 'tls' : 'plain';
}

/** The same by libpq: encrypted, plain, or none. */
async function psqlOutcome({ port, data }: OwnServer, tls: Tls, user: string): Promise<string> {
  const authorities = join(data, 'server.crt');
  const env = {
    PATH: process.env.PATH,
    HOME: '/nonexistent',
    PGPASSWORD: PASSWORD,
    PGSSLMODE: tls.mode,
    ...(tls.ca ? { PGSSLROOTCERT: authorities } : {}),
  };
  const sql = "SELECT CASE WHEN ssl THEN 'tls' ELSE 'plain' END FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
  const where = ['-h', 'localhost', '-p', String(port), '-U', user, '-d', 'postgres'];
  return run('psql', ['-XAt', '-c', sql, ...where], { env }).then(
    ({ stdout }) => stdout.trim(),
    () => 'none',
  );
}

/** Each mode: what it makes of a server with TLS, of one without, of roles that may come by one of both alone, and of others' certificates. */
const modes: [Tls, Record<'offered' | 'missing' | 'onlyTls' | 'onlyPlain', string>][] = [
  [{ mode: 'disable' }, { offered: 'plain', missing: 'plain', onlyTls: 'login_refused', onlyPlain: 'plain' }],
  [{ mode: 'allow' }, { offered: 'plain', missing: 'plain', onlyTls: 'tls', onlyPlain: 'plain' }],
  [{ mode: 'prefer' }, { offered: 'tls', missing: 'plain', onlyTls: 'tls', onlyPlain: 'plain' }],
  [{ mode: 'require' }, { offered: 'tls', missing: 'tls_failed', onlyTls: 'tls', onlyPlain: 'login_refused' }],
  [
    { mode: 'verify-ca', ca },
    { offered: 'tls', missing: 'tls_failed', onlyTls: 'tls', onlyPlain: 'login_refused' },
  ],
  [
    { mode: 'verify-full', ca },
    { offered: 'tls', missing: 'tls_failed', onlyTls: 'tls', onlyPlain: 'login_refused' },
  ],
];

describe.each(modes)('tls $mode', (tls, expected) => {
  test('is encrypted as it is in libpq', async () => {
    expect({
      offered: await outcome(server, tls),
      missing: await outcome(plain, tls),
      onlyTls: await outcome(server, tls, { credentials: as('only_tls') }),
      onlyPlain: await outcome(server, tls, { credentials: as('only_plain') }),
    }).toEqual(expected);
  });

  test.skipIf(!psqlIsInstalled)('is what psql makes of it', async () => {
    expect({
      offered: await psqlOutcome(server, tls, 'postgres'),
      missing: await psqlOutcome(plain, tls, 'postgres'),
      onlyTls: await psqlOutcome(server, tls, 'only_tls'),
      onlyPlain: await psqlOutcome(server, tls, 'only_plain'),
    }).toEqual(
      Object.fromEntries(Object.entries(expected).map(([what, found]) => [what, found.replace(/^\w+_\w+$/, 'none')])),
    );
  });

  test('says that a password is wrong, whatever else is tried', async () => {
    const wrong = as('postgres', { password: 'wrong' });
    expect(await outcome(server, tls, { credentials: wrong })).toBe('login_refused');
  });
});

test('a certificate of an unknown authority is refused where it is verified; the host name by verify-full alone', async () => {
  const at127 = (tls: Tls) => outcome(server, tls, { host: '127.0.0.1' });
  expect(await outcome(server, { mode: 'require', ca: otherAuthority })).toBe('tls_failed');
  expect(await outcome(server, { mode: 'require', ca })).toBe('tls');
  expect(await outcome(server, { mode: 'verify-ca', ca: otherAuthority })).toBe('tls_failed');
  expect(await outcome(server, { mode: 'verify-ca' })).toBe('tls_failed');
  expect(await outcome(server, { mode: 'verify-full' })).toBe('tls_failed');
  // What cannot be encrypted to satisfaction goes on without, as with libpq.
  expect(await outcome(server, { mode: 'prefer', ca: otherAuthority })).toBe('plain');
  expect([await at127({ mode: 'verify-ca', ca }), await at127({ mode: 'verify-full', ca })]).toEqual([
    'tls',
    'tls_failed',
  ]);
});

test('a client certificate logs in, with the WebAssembly and the native pg_dump, too', async () => {
  const certificate = { certificate: clientCertificate, key: clientKey };
  const credentials: ConnectionTarget['credentials'] = async () => ({ user: 'certified', password: null, certificate });
  const tls: Tls = { mode: 'verify-full', ca };
  expect(await outcome(server, tls, { credentials })).toBe('tls');
  expect(await outcome(server, tls, { credentials: as('certified', { password: null }) })).toBe('login_refused');
  await dumpBothWays(server.target({ host: 'localhost', tls, credentials }));
});

test('a login without a password works where the server asks for none, and says so where it does', async () => {
  const credentials = as('trusted', { password: null });
  expect(await outcome(server, { mode: 'require' }, { host: '127.0.0.1', credentials })).toBe('tls');
  await dumpBothWays(server.target({ credentials }));
  // Neither the environment nor a password file of the process that connects is asked.
  process.env.PGPASSWORD = PASSWORD;
  try {
    const asked = connect(server.target({ credentials: as('postgres', { password: null }) }));
    await expect(asked).rejects.toMatchObject({
      code: 'login_refused',
      message: expect.stringContaining('the server asks for a password, and the login has none'),
    });
  } finally {
    delete process.env.PGPASSWORD;
  }
});

test('a socket of the file system is never encrypted, and lets in whom the system knows', async () => {
  const credentials = as(me, { password: null });
  const host = server.data;
  expect(await outcome(server, { mode: 'verify-full' }, { host, credentials })).toBe('plain');
  expect(await outcome(server, { mode: 'prefer' }, { host, credentials: as('trusted') })).toBe('login_refused');
  await dumpBothWays(server.target({ host, tls: { mode: 'require' }, credentials }));
});

async function dumpBothWays(target: ConnectionTarget): Promise<void> {
  const postgresToolsPath = join(import.meta.dirname, '../../node_modules');
  await dumpSchema({ target, postgresToolsPath });
  if (!binaries.pgDump) {
    process.stderr.write('SKIPPED: no native pg_dump is installed to try the login with\n');
    return;
  }
  await dumpSchema({ target, postgresToolsPath, pgDumpPath: binaries.pgDump });
}
