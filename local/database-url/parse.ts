import { malformed } from './error.ts';
import { addParameter, type Parameters } from './parameters.ts';

export const form = 'postgres://user:password@host:port/name';

const scheme = /^postgres(?:ql)?:\/\//;
const encode =
  'Write characters of a user, password, name or path that have a meaning in an address percent-encoded: @ as %40, : as %3A, / as %2F, ? as %3F, # as %23, % as %25, a space as %20.';

/**
 * Reads a connection URI as libpq does.
 *
 * @returns the parameters that it names, and the names of those that have no effect here
 * @throws DatabaseUrlError, which shows no part of a password
 * @see https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS
 */
export function parseUrl(url: string): { parameters: Parameters; ignored: string[] } {
  if (!scheme.test(url)) {
    throw malformed(
      url === '' ? 'it is empty' : `it does not begin with postgres:// or postgresql://`,
      `Give an address of the form ${form}`,
    );
  }
  const parameters: Parameters = {};
  const ignored: string[] = [];
  const rest = url.replace(scheme, '');
  const login = /^([^@/:]*)(?::([^@/]*))?@/.exec(rest);
  // Ends at the first @ before any slash.
  const [, user = '', password = ''] = login ?? [];
  if (user !== '') parameters.user = decode(user, 'the user');
  if (password !== '') parameters.password = decode(password, 'the password');
  const [, place = '', query] = /^([^?]*)(?:\?(.*))?$/s.exec(rest.slice(login?.[0].length ?? 0)) ?? [];
  readPlace(place, login !== null, parameters);
  if (query) readQuery(query, parameters, ignored);
  return { parameters, ignored };
}

/** What stands here may be a piece of a password that is not encoded: it is not shown. */
function readPlace(place: string, hasLogin: boolean, parameters: Parameters): void {
  const [, authority = '', name = ''] = /^([^/]*)(?:\/(.*))?$/s.exec(place) ?? [];
  if (authority.includes('@') || (!hasLogin && name.includes('@') && authority.includes(':'))) {
    throw malformed('it has a @ in a place where it cannot be', encode);
  }
  if (authority.includes(',')) {
    throw malformed('it names several hosts', 'Give the one host whose database is to be managed.');
  }
  const parts = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::(.*))?$/s.exec(authority);
  if (!parts) {
    throw malformed(
      'its host is none',
      `An IPv6 address stands in brackets, as in postgres://user@[::1]:5432/name. ${encode}`,
    );
  }
  const [, bracketed, plain = '', port] = parts;
  if (bracketed === '')
    throw malformed('the IPv6 address in its brackets is empty', `As in postgres://user@[::1]:5432/name`);
  const host = decode(bracketed ?? plain, 'the host');
  if (host !== '') parameters.host = host;
  if (port) parameters.port = decode(port, 'the port');
  if (name !== '') parameters.dbname = decode(name, 'the name');
}

function readQuery(query: string, parameters: Parameters, ignored: string[]): void {
  for (const pair of query.split('&')) {
    const [name = '', value, ...more] = pair.split('=');
    if (value === undefined) {
      throw malformed(
        `the query parameter "${name}" has no "="`,
        `Write name=value pairs with & between them. ${encode}`,
      );
    }
    const known = decode(name, 'a query parameter');
    if (more.length > 0)
      throw malformed(`the query parameter "${known}" has more than one "="`, `Write = in a value as %3D.`);
    const text = decode(value, `the query parameter "${known}"`);
    // As the JDBC driver writes it.
    if (known === 'ssl' && text === 'true') parameters.sslmode = 'require';
    else addParameter(parameters, ignored, known, text);
  }
}

function decode(text: string, what: string): string {
  if (/\s/.test(text)) throw malformed(`${what} holds a space`, 'Write it as %20.');
  if (/%(?![0-9a-f]{2})/i.test(text))
    throw malformed(`${what} holds a % that begins no percent-encoded character`, encode);
  if (/%00/.test(text)) throw malformed(`${what} holds %00, which PostgreSQL cannot take`, 'Remove it.');
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    throw malformed(`${what} holds percent-encoded bytes that are not UTF-8`, 'Encode the text as UTF-8 first.', cause);
  }
}
