import { existsSync } from 'node:fs';
import { homedir, userInfo } from 'node:os';
import { join } from 'node:path';
import type { Tls } from '../../shared/configuration/tls.ts';
import type { ClientCertificate } from '../../shared/postgres/tls.ts';
import { malformed } from './error.ts';
import { fromEnvironment, type Parameters } from './parameters.ts';
import { form, parseUrl } from './parse.ts';
import { passwordFromFile } from './password-file.ts';
import { clientCertificate, tlsOf } from './tls-files.ts';

/** Where `--database-url` leads, as whom, and how safely: all that libpq would find out before it connects. */
export interface DatabaseAddress {
  /** A name, an IP address without brackets, or the folder of a socket. */
  host: string;
  port: number;
  database: string;
  user: string;
  /** Null: none was given, and none found. */
  password: string | null;
  /** Where the password was found, in words; null without one. */
  passwordFrom: string | null;
  /** Where one is looked for that is not said; and why one that is there is not used. */
  passwordFile: { path: string; ignored?: string };
  tls: Tls;
  certificate?: ClientCertificate;
  /** How long a connection may take to come about; null: not said. Milliseconds. */
  connectTimeoutMs: number | null;
  /** What was named and is not used, with the reason. */
  notes: string[];
  /** The files of TLS by their absolute paths, for an address that other programs can use. */
  files: Partial<Record<'sslrootcert' | 'sslcrl' | 'sslcert' | 'sslkey', string>>;
}

/** In which folder libpq looks for the server's socket depends on how it was built. */
const socketFolders = ['/var/run/postgresql', '/tmp'];
const longestName = 63;
const longestTimeoutSeconds = 60;

/**
 * Reads an address as libpq does, with what the environment (`PGPASSWORD`, ...), the password file and the files in
 * `~/.postgresql` add to it.
 *
 * @param environment - `HOME` and `INIT_CWD`, below which npm was called, count as well
 * @throws DatabaseUrlError when something in it is wrong, whatever the server says
 */
export function readAddress(url: string, environment: NodeJS.ProcessEnv): DatabaseAddress {
  const { parameters: named, ignored } = parseUrl(url);
  const parameters: Parameters = { ...fromEnvironment(environment), ...named };
  const home = environment.HOME || homedir();
  const port = portOf(parameters.port ?? '5432');
  const host = parameters.host || socketFolder(port) || 'localhost';
  const user = nameOf('user', parameters.user ?? userInfo().username);
  const database = nameOf('database name', parameters.dbname ?? user);
  const notes = ignored.map((name) => `The parameter ${name} of --database-url has no effect here`);
  const place = { home, folder: environment.INIT_CWD ?? process.cwd(), isSocket: host.startsWith('/') };
  const { tls, files } = tlsOf(parameters, place);
  const client = clientCertificate(parameters, { ...place, mode: tls.mode });
  const passfile = parameters.passfile || join(home, '.pgpass');
  const found = parameters.password
    ? { password: parameters.password, from: named.password === undefined ? 'PGPASSWORD' : 'the address' }
    : passwordOf(passfile, { host, port, user, database });
  const ignoredFile = 'ignored' in found ? found.ignored : undefined;
  if (ignoredFile !== undefined) notes.push(ignoredFile);
  return {
    host,
    port,
    database,
    user,
    password: found.password,
    passwordFrom: found.from,
    passwordFile: { path: passfile, ...(ignoredFile === undefined ? {} : { ignored: ignoredFile }) },
    tls,
    ...(client ? { certificate: client.pair } : {}),
    connectTimeoutMs: timeoutOf(parameters.connect_timeout),
    notes,
    files: { ...files, ...client?.files },
  };
}

function passwordOf(
  path: string,
  whom: { host: string; port: number; user: string; database: string },
): { password: string | null; from: string | null; ignored?: string } {
  const host = socketFolders.includes(whom.host) ? 'localhost' : whom.host;
  const answer = passwordFromFile(path, { ...whom, host });
  return { ...answer, from: answer.password === null ? null : `the password file ${path}` };
}

function portOf(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port >= 1 && port <= 65_535) return port;
  // Anything else may be a piece of a password.
  const shown = /^\d+$/.test(text) ? `port ${text}` : 'port';
  throw malformed(
    `its ${shown} is no number from 1 to 65535`,
    `The form is ${form}. An IPv6 address stands in brackets, as in [::1]:5432, and a / in a password is written %2F.`,
  );
}

function nameOf(what: string, name: string): string {
  if (Buffer.byteLength(name) <= longestName) return name;
  throw malformed(`its ${what} is longer than ${longestName} bytes, which PostgreSQL does not allow`, 'Shorten it.');
}

function timeoutOf(text: string | undefined): number | null {
  if (text === undefined || text === '') return null;
  if (!/^[+-]?\d{1,9}$/.test(text)) {
    throw malformed(
      `its connect_timeout "${text}" is no whole number of seconds`,
      'Write one such as connect_timeout=10.',
    );
  }
  const seconds = Number(text);
  // Without end, to libpq.
  return (seconds <= 0 ? longestTimeoutSeconds : Math.min(seconds, longestTimeoutSeconds)) * 1000;
}

const socketFolder = (port: number): string | undefined =>
  socketFolders.find((folder) => existsSync(join(folder, `.s.PGSQL.${port}`)));
