import { userInfo } from 'node:os';
import { OperationError } from '../../shared/errors.ts';
import { quoteIdentifier } from '../../shared/postgres/identifiers.ts';
import { quoteShell } from '../../shared/quote-shell.ts';
import { DatabaseUrlError } from './error.ts';
import { explainTls } from './explain-tls.ts';
import { type Greeting, shown } from './greeting.ts';
import { placeOf, serverOf } from './place.ts';
import type { DatabaseAddress } from './settings.ts';

const waitLonger = 'To wait longer, write connect_timeout=10 in the address.';

/** What is wrong with what listens at an address; null when it may be PostgreSQL. */
export function explainGreeting(
  greeting: Greeting,
  address: DatabaseAddress,
  { needsTls, allowed }: { needsTls: boolean; allowed: number },
): DatabaseUrlError | null {
  const server = serverOf(address);
  const seconds = `${allowed / 1000} s`;
  switch (greeting.is) {
    case 'unreachable':
      return new DatabaseUrlError(...unreachable(greeting, address, seconds));
    case 'silent':
      return new DatabaseUrlError(
        `${server} accepts connections, but said nothing within ${seconds}`,
        `Check that PostgreSQL listens on this port, and not another program. ${waitLonger}`,
      );
    case 'closed':
      return new DatabaseUrlError(
        `${server} accepted the connection and closed it without a word`,
        'Check that PostgreSQL listens on this port, and not another program or a tunnel whose other end is down.',
      );
    case 'other':
      return new DatabaseUrlError(
        `${server} is not PostgreSQL${greeting.said ? `: it answered "${greeting.said}"` : ''}`,
        'Check the host and the port; PostgreSQL listens on 5432 unless it is set up otherwise.',
      );
    case 'postgres':
      if (greeting.hasTls !== false || !needsTls) return null;
      return new DatabaseUrlError(
        `${placeOf(address)} has no TLS, which sslmode=${address.tls.mode} needs`,
        'Turn on TLS on the server (ssl = on), or write sslmode=prefer in the address, which goes without TLS where there is none.',
      );
  }
}

function unreachable(
  { code, message }: Extract<Greeting, { is: 'unreachable' }>,
  { host, port }: DatabaseAddress,
  seconds: string,
): [message: string, hint: string] {
  const server = serverOf({ host, port });
  switch (code) {
    case 'ECONNREFUSED':
      return [
        `nothing listens on ${server}`,
        'Check the host and the port, that PostgreSQL runs, and that its listen_addresses include this one.',
      ];
    case 'ETIMEDOUT':
      return [
        `${server} did not answer within ${seconds}`,
        `Check the host and the port, and whether a firewall is in between. ${waitLonger}`,
      ];
    case 'ENOENT':
      return [
        `there is no socket ${server}`,
        `Check the folder and the port: the server's unix_socket_directories say where it is; or connect to localhost.`,
      ];
    case 'EACCES':
    case 'EPERM':
      return [`this user may not use ${server}`, 'Check the permissions of the socket, or connect to localhost.'];
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'EADDRNOTAVAIL':
      return [
        `this machine has no route to ${server} (${code})`,
        'Check the address, and whether a VPN or a tunnel is needed.',
      ];
    default:
      return [`no connection to ${server}: ${shown(message || code)}`, 'Check the host and the port.'];
  }
}

/** Turns what a login failed with into words about the address. */
export function explainFailure(error: unknown, address: DatabaseAddress, allowed: number): DatabaseUrlError {
  const cause = error instanceof OperationError && error.cause !== undefined ? error.cause : error;
  const { code = '', message = '' } = (cause ?? {}) as { code?: string; message?: string };
  const explained =
    ofServer(code, message, address) ?? explainTls(cause, address) ?? ofNetwork(message, address, allowed);
  return new DatabaseUrlError(...explained, { cause: error });
}

type Words = [message: string, hint: string];

/** What the server itself said, by its SQLSTATE. */
function ofServer(code: string, message: string, address: DatabaseAddress): Words | null {
  const { user, database, password, passwordFrom } = address;
  const said = `the server said: ${shown(password ? message.replaceAll(password, '***') : message)}`;
  const role = quoteIdentifier(user);
  switch (code) {
    case '28P01':
      return password === null
        ? [`${placeOf(address)} refused user "${user}" (${said})`, passwordHint(address)]
        : [
            `${placeOf(address)} refused the password of user "${user}"`,
            `Correct the password, which came from ${passwordFrom}, or the user's name. The server says the same of users that do not exist.`,
          ];
    case '28000':
      return [`${placeOf(address)} does not let user "${user}" in; ${said}`, loginHint(message, address, role)];
    case '3D000':
      return [
        `${placeOf(address)} has no database "${database}"`,
        `Correct the name at the end of the address, or create it: CREATE DATABASE ${quoteIdentifier(database)};`,
      ];
    case '42501':
      return [
        `user "${user}" may not connect to the database "${database}"; ${said}`,
        `As the database's owner: GRANT CONNECT ON DATABASE ${quoteIdentifier(database)} TO ${role};`,
      ];
    case '55000':
      return [`the database "${database}" takes no connections; ${said}`, 'Name another database.'];
    case '53300':
      return [
        `${placeOf(address)} has no connection left; ${said}`,
        'End sessions that are not needed, or raise max_connections or the CONNECTION LIMIT of the role or the database, and start again.',
      ];
    case '57P03':
      return [
        `${placeOf(address)} is not ready; ${said}`,
        'Start again in a moment, when the server accepts connections.',
      ];
    default:
      if (/asks for a password, and the login has none/.test(message)) {
        return [`${placeOf(address)} asks for a password of user "${user}", and there is none`, passwordHint(address)];
      }
      return /^[0-9A-Z]{5}$/.test(code) && !/^E[A-Z]{4}$/.test(code)
        ? [`${placeOf(address)} refused the connection; ${said} (${code})`, 'Check the server and its log.']
        : null;
  }
}

const passwordHint = ({ host, port, database, user, passwordFile }: DatabaseAddress): string =>
  passwordFile.ignored ??
  `Add the password to the address, set PGPASSWORD, or write the line ${[host, port, database, user]
    .map((part) => String(part).replaceAll(/[\\:]/g, '\\$&'))
    .join(':')}:password into ${passwordFile.path} and run: chmod 600 ${quoteShell(passwordFile.path)}`;

function loginHint(message: string, { tls, database, host }: DatabaseAddress, role: string): string {
  if (/not permitted to log in/.test(message)) return `As a superuser: ALTER ROLE ${role} LOGIN;`;
  if (/role .* does not exist/.test(message)) return `Correct the user, or create it: CREATE ROLE ${role} LOGIN;`;
  if (/^Peer|^Ident/i.test(message)) {
    return `The server accepts only the operating system user with the role's name, and this process runs as ${userInfo().username}: run npm start as that user, or connect over the network with a password, as in host=localhost.`;
  }
  if (/certificate/i.test(message)) return 'Give a client certificate with sslcert= and sslkey=, and a mode with TLS.';
  if (/no encryption/.test(message) && tls.mode === 'disable') {
    return 'The server accepts this user only with TLS: write sslmode=require, or verify-full with sslrootcert=.';
  }
  if (/pg_hba\.conf/.test(message)) {
    const kind = host.startsWith('/') ? 'local' : 'host';
    return `Add a line for this user, database and address to the server's pg_hba.conf, such as: ${kind} ${quoteIdentifier(database)} ${role} ${kind === 'host' ? 'samenet ' : ''}scram-sha-256, and reload it.`;
  }
  return "Check the login in the server's pg_hba.conf and its log.";
}

function ofNetwork(message: string, address: DatabaseAddress, allowed: number): Words {
  if (/timeout/i.test(message)) {
    return [
      `${placeOf(address)} answered, but did not complete the login within ${allowed / 1000} s`,
      `Check that PostgreSQL listens there, and that the server is not overloaded. ${waitLonger}`,
    ];
  }
  return [
    `${placeOf(address)} ended the connection during the login: ${shown(message)}`,
    'Check that PostgreSQL listens there, and not another program; its log says why it ended the session.',
  ];
}
