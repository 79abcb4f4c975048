import type { Fault } from '../fault.ts';

const secret = 'Tr0ub4dor';
const row = (name: string, url: string, ...says: RegExp[]): Fault => ({
  name: `address: ${name}`,
  arrange: () => ({
    options: ['--database-url', url],
    exitCode: 2,
    says: [...says, /^ {2}Hint: \S/m, /npm start --/],
    secret,
  }),
});

/** Addresses that no server can make right. */
export const malformedAddresses: readonly Fault[] = [
  row('empty', '', /it is empty/, /postgres:\/\/user:password@host:port\/name/),
  row('another scheme', `mysql://me:${secret}@host/shop`, /does not begin with postgres:\/\//),
  row('a password with @', `postgres://me:p@${secret}@host/shop`, /has a @ in a place where it cannot be/, /@ as %40/),
  row('a password with /', `postgres://me:p/${secret}@host/shop`, /has a @ in a place where it cannot be/, /\/ as %2F/),
  row('a password with %', `postgres://me:${secret}%zz@host/shop`, /the password holds a % that begins/),
  row('no host after a password', `postgres://me:${secret}`, /its port is no number from 1 to 65535/),
  row('a port out of range', 'postgres://me@host:99999/shop', /its port 99999 is no number from 1 to 65535/),
  row('several hosts', 'postgres://me@one,two/shop', /names several hosts/),
  row('IPv6 without brackets', 'postgres://me@::1:5432/shop', /its host is none|no number from 1/),
  row(
    'an unknown parameter',
    'postgres://me@host/shop?sslmod=require',
    /invalid URI query parameter "sslmod"/,
    /sslmode/,
  ),
  row('a parameter that is not supported', 'postgres://me@host/shop?options=-c', /"options" of libpq is not supported/),
  row('a parameter without =', 'postgres://me@host/shop?sslmode', /the query parameter "sslmode" has no "="/),
  row('an unknown sslmode', 'postgres://me@host/shop?sslmode=yes', /its sslmode "yes" is none/, /verify-full/),
  row(
    'a weak sslmode with the system authorities',
    'postgres://me@host/shop?sslrootcert=system&sslmode=require',
    /too weak/,
  ),
  row(
    'verify-full without authorities',
    'postgres://me@host/shop?sslmode=verify-full',
    /root\.crt does not exist/,
    /sslrootcert=/,
  ),
  row(
    'a missing sslrootcert',
    'postgres://me@host/shop?sslrootcert=ca.pem',
    /\/ca\.pem does not exist/,
    /sslrootcert=/,
  ),
  row('a missing sslcert', 'postgres://me@host/shop?sslcert=me.crt', /\/me\.crt does not exist/),
  row(
    'a connect_timeout that is no number',
    'postgres://me@host/shop?connect_timeout=soon',
    /"soon" is no whole number/,
  ),
  row('a name that is too long', `postgres://me@host/${'n'.repeat(64)}`, /longer than 63 bytes/),
];
