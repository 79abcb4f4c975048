import { serverOf } from './place.ts';
import type { DatabaseAddress } from './settings.ts';

/** How an address is shown: without its password. */
export const shownAddress = (address: DatabaseAddress): string => write(address, { withPassword: false });

/**
 * An address that psql and others take, with everything that was found out about it: it does not depend on the environment, a
 * password file or the folder any more. Only letters, digits and a few signs that no shell gives a meaning within quotes.
 */
export const wholeAddress = (address: DatabaseAddress): string => write(address, { withPassword: true });

function write(address: DatabaseAddress, { withPassword }: { withPassword: boolean }): string {
  const { host, port, database, user, password, tls, files } = address;
  const login = withPassword && password !== null ? `${encode(user)}:${encode(password)}` : encode(user);
  const isSocket = host.startsWith('/');
  const query = [
    ...(isSocket ? [['host', host] as const, ['port', String(port)] as const] : []),
    ...(isSocket ? [] : [['sslmode', tls.mode] as const]),
    ...(withPassword ? Object.entries(files) : []),
  ].map(([name, value]) => `${name}=${encode(value)}`);
  const place = isSocket ? '' : serverOf(address).replace(/^[^[][^:]*/, encode);
  return `postgres://${login}@${place}/${encode(database)}${query.length > 0 ? `?${query.join('&')}` : ''}`;
}

/** Also what `encodeURIComponent` leaves: a quote would end a shell's word. */
const encode = (text: string): string =>
  encodeURIComponent(text).replaceAll(/[!'()*]/g, (each) => `%${each.charCodeAt(0).toString(16).toUpperCase()}`);
