import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { shownAddress, wholeAddress } from '../../../local/database-url/export-url.ts';
import { readAddress } from '../../../local/database-url/settings.ts';
import { clientCertificate, clientKey, otherAuthority } from '../../postgres/support/client-certificate.ts';

let home: string;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'settings-'));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const read = (url: string, environment: Record<string, string> = {}) =>
  readAddress(url, { HOME: home, INIT_CWD: home, ...environment });

function file(name: string, text: string, mode = 0o600): string {
  const path = join(home, name);
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

describe('an address is read as libpq reads it', () => {
  const me = userInfo().username;
  test.each([
    [
      'postgres://app:pw@db.example:6543/shop',
      { host: 'db.example', port: 6543, user: 'app', password: 'pw', database: 'shop' },
    ],
    [
      'postgresql://app@db.example/shop',
      { host: 'db.example', port: 5432, user: 'app', password: null, database: 'shop' },
    ],
    ['postgres://db.example', { host: 'db.example', user: me, database: me, password: null }],
    ['postgres://app@db.example', { user: 'app', database: 'app' }],
    ['postgres://app:@db.example/shop', { password: null }],
    ['postgres://a%40b:p%2F%3A%23@h/sh%20op', { user: 'a@b', password: 'p/:#', database: 'sh op' }],
    ['postgres://app:p#q?r@h/shop', { password: 'p#q?r', host: 'h' }],
    ['postgres://app@[2001:db8::1]:6543/shop', { host: '2001:db8::1', port: 6543 }],
    ['postgres://app@[fe80::1%25eth0]/shop', { host: 'fe80::1%eth0' }],
    ['postgres://app@%2Fsockets%2Fhere/shop', { host: '/sockets/here', tls: { mode: 'prefer' } }],
    [
      'postgres:///shop?host=/sockets&port=6543&user=app',
      { host: '/sockets', port: 6543, user: 'app', database: 'shop' },
    ],
    ['postgres://h/shop?dbname=other&password=a%26b', { database: 'other', password: 'a&b' }],
    ['postgres://h/na@me', { host: 'h', database: 'na@me' }],
    ['postgres://h/shop?ssl=true', { tls: { mode: 'require' } }],
    ['postgres://h/shop?connect_timeout=7', { connectTimeoutMs: 7000 }],
    ['postgres://h/shop?connect_timeout=0', { connectTimeoutMs: 60_000 }],
  ])('%s', (url, expected) => {
    expect(read(url)).toMatchObject(expected);
  });

  test('what it does not name comes from the environment', () => {
    const environment = {
      PGHOST: 'h',
      PGPORT: '6543',
      PGUSER: 'app',
      PGDATABASE: 'shop',
      PGPASSWORD: 'pw',
      PGSSLMODE: 'require',
    };
    const named = { host: 'h', port: 6543, user: 'app', database: 'shop', password: 'pw', passwordFrom: 'PGPASSWORD' };
    expect(read('postgres://', environment)).toMatchObject({ ...named, tls: { mode: 'require' } });
    expect(read('postgres://you:own@there/other?sslmode=disable', environment)).toMatchObject({
      host: 'there',
      user: 'you',
      password: 'own',
      database: 'other',
      tls: { mode: 'disable' },
    });
  });

  test('a parameter without effect is told', () => {
    expect(read('postgres://h/shop?application_name=x').notes).toEqual([
      'The parameter application_name of --database-url has no effect here',
    ]);
  });
});

describe('a password file', () => {
  test.each([
    ['*:*:*:*:any', 'any'],
    ['db.example:5432:shop:app:exact', 'exact'],
    ['db.example:5432:shop:other:no\ndb.example:*:*:app:second\n*:*:*:*:third', 'second'],
    ['# db.example:5432:shop:app:comment\r\ndb.example:5432:shop:app:crlf\r\n', 'crlf'],
    [String.raw`*:*:*:*:a\:b\\c:d`, String.raw`a:b\c:d`],
    ['other:5432:shop:app:no', null],
    ['db.example:5432:shop:app', null],
    ['', null],
  ])('%j gives %j', (text, password) => {
    file('.pgpass', text);
    expect(read('postgres://app@db.example/shop')).toMatchObject({ password });
  });

  test('names users and databases with colons by a backslash', () => {
    file('.pgpass', String.raw`*:*:sh\:op:a\\b:found`);
    expect(read('postgres://a%5Cb@h/sh%3Aop')).toMatchObject({ password: 'found' });
  });

  test('is named by passfile and PGPASSFILE', () => {
    const path = file('elsewhere', '*:*:*:*:found');
    expect(read('postgres://app@h/shop', { PGPASSFILE: path })).toMatchObject({
      password: 'found',
      passwordFrom: `the password file ${path}`,
    });
    expect(read(`postgres://app@h/shop?passfile=${path}`)).toMatchObject({ password: 'found' });
  });

  test('is for localhost where the socket is in its usual folder', () => {
    file('.pgpass', 'localhost:*:*:*:local\n*:*:*:*:other');
    expect(read('postgres:///shop?host=/var/run/postgresql')).toMatchObject({ password: 'local' });
    expect(read('postgres:///shop?host=/elsewhere')).toMatchObject({ password: 'other' });
  });

  test('that others may read is not used, which is told', () => {
    const path = file('.pgpass', '*:*:*:*:any', 0o640);
    const { password, notes } = read('postgres://app@h/shop');
    expect({ password, notes }).toEqual({
      password: null,
      notes: [`The password file ${path} is not used: others have access to it. Run: chmod 600 ${path}`],
    });
  });
});

describe('TLS', () => {
  test('prefers encryption when nothing is said, and verifies by a root certificate file that is there', () => {
    expect(read('postgres://h/shop').tls).toEqual({ mode: 'prefer' });
    file('.postgresql/root.crt', otherAuthority);
    expect(read('postgres://h/shop?sslmode=require').tls).toEqual({ mode: 'require', ca: otherAuthority });
    expect(read('postgres://h/shop?sslmode=verify-full').tls).toEqual({ mode: 'verify-full', ca: otherAuthority });
    expect(read('postgres://h/shop?sslmode=disable').tls).toEqual({ mode: 'disable' });
  });

  test('reads a relative path from where npm was called', () => {
    const path = file('certs/ca.pem', otherAuthority);
    const address = read('postgres://h/shop?sslmode=verify-ca&sslrootcert=certs/ca.pem');
    expect(address.tls).toEqual({ mode: 'verify-ca', ca: otherAuthority });
    expect(wholeAddress(address)).toBe(
      `postgres://${encodeURIComponent(userInfo().username)}@h:5432/shop?sslmode=verify-ca&sslrootcert=${encodeURIComponent(path)}`,
    );
  });

  test('trusts the authorities of the machine with sslrootcert=system, and verifies the name', () => {
    const { tls } = read('postgres://h/shop?sslrootcert=system');
    expect(tls.mode).toBe('verify-full');
    expect(tls.ca).toBeTypeOf('string');
  });

  test('logs in by a certificate whose key nobody else can read', () => {
    file('.postgresql/postgresql.crt', clientCertificate);
    const key = file('.postgresql/postgresql.key', clientKey);
    expect(read('postgres://h/shop').certificate?.certificate).toBe(clientCertificate);
    expect(read('postgres://h/shop?sslmode=disable').certificate).toBeUndefined();
    chmodSync(key, 0o644);
    expect(() => read('postgres://h/shop')).toThrow(`others have access to the key file ${key}`);
    rmSync(key);
    expect(() => read('postgres://h/shop')).toThrow('postgresql.key of the certificate');
  });

  test('says what a file is not', () => {
    file('empty.pem', 'nothing');
    expect(() => read('postgres://h/shop?sslrootcert=empty.pem')).toThrow('holds no certificate in PEM form');
    file('.postgresql/postgresql.crt', clientCertificate);
    file('.postgresql/postgresql.key', 'nothing');
    expect(() => read('postgres://h/shop')).toThrow('it is damaged, or has a passphrase');
  });
});

test('the address for other programs is whole, and one word of a shell when quoted', () => {
  const address = read(`postgres://o'app:p%27w%22$(x)@[::1]/sh%27op?connect_timeout=5`);
  expect(wholeAddress(address)).toBe(`postgres://o%27app:p%27w%22%24%28x%29@[::1]:5432/sh%27op?sslmode=prefer`);
  expect(shownAddress(address)).toBe(`postgres://o%27app@[::1]:5432/sh%27op?sslmode=prefer`);
  expect(wholeAddress(read('postgres://app:pw@/shop?host=/sock%20ets&port=1'))).toBe(
    'postgres://app:pw@/shop?host=%2Fsock%20ets&port=1',
  );
});
