import type { DatabaseAddress } from './settings.ts';

/** Such as `db.example:5432`, or a socket's path. */
export const serverOf = ({ host, port }: Pick<DatabaseAddress, 'host' | 'port'>): string => {
  if (host.startsWith('/')) return `${host}/.s.PGSQL.${port}`;
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
};

export const placeOf = (address: Pick<DatabaseAddress, 'host' | 'port'>): string =>
  `the server at ${serverOf(address)}`;
