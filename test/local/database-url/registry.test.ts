import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { identify } from '../../../local/database-url/registry.ts';
import { readAddress } from '../../../local/database-url/settings.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'registry-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const seen = (url: string, systemIdentifier: string | null) =>
  identify(folder, readAddress(url, { HOME: folder }), { version: '18.4', systemIdentifier, isEncrypted: false });

test('the same server keeps its state wherever it is found', () => {
  expect(seen('postgres://one/Ledger', '71')).toEqual({ id: 'ledger', notes: [] });
  expect(seen('postgres://one/Ledger', '71')).toEqual({ id: 'ledger', notes: [] });
  expect(seen('postgres://two:6543/Ledger', '71')).toEqual({
    id: 'ledger',
    notes: ['The server of the database "Ledger" was at one:5432 before: its state (ledger) goes on'],
  });
  expect(seen('postgres://two:6543/Ledger', '71').notes).toEqual([]);
  expect(statSync(join(folder, 'databases.json')).mode & 0o777).toBe(0o600);
});

test('another server at the same address has its own state, and the former one gets its own back', () => {
  seen('postgres://one/ledger', '71');
  expect(seen('postgres://one/ledger', '72')).toEqual({
    id: 'ledger-2',
    notes: [
      'one:5432 is another server than before: its database "ledger" is kept as ledger-2, and the state of the former one stays under ledger',
    ],
  });
  expect(seen('postgres://one/ledger', '71').id).toBe('ledger');
  expect(seen('postgres://other/ledger', '72').id).toBe('ledger-2');
});

test('two databases whose names make the same id are told apart, as is the sample shop', () => {
  expect(seen('postgres://one/my_db', '71').id).toBe('my-db');
  expect(seen('postgres://one/my-db', '71')).toEqual({
    id: 'my-db-2',
    notes: ['The database "my-db" is kept as my-db-2, as my-db stands for another'],
  });
  expect(seen('postgres://one/shop', '71').id).toBe('shop-2');
  expect(seen(`postgres://one/${'l'.repeat(60)}`, '71').id).toBe('l'.repeat(40));
  expect(seen(`postgres://one/${'l'.repeat(61)}`, '71').id).toBe(`${'l'.repeat(36)}-2`);
  expect(seen('postgres://one/%C3%A9', '71').id).toBe('database');
});

test('state of a start before servers were told apart is not continued', () => {
  writeFileSync(join(folder, 'first-backup-ledger'), 'bkp-1');
  expect(seen('postgres://one/ledger', '71').id).toBe('ledger-2');
});

test('a server that does not say who it is is known by its address, which is told', () => {
  const told = /may not read the server's system identifier, so its state is kept by the address one:5432/;
  const first = seen('postgres://one/ledger', null);
  expect([first.id, first.notes.join()]).toEqual(['ledger', expect.stringMatching(told)]);
  expect(seen('postgres://one/ledger', null).id).toBe('ledger');
  expect(seen('postgres://two/ledger', null).id).toBe('ledger-2');
  const named = seen('postgres://one/ledger', '71');
  expect(named).toEqual({
    id: 'ledger-3',
    notes: [expect.stringMatching(/^Whether one:5432 is the same server as before cannot be told/)],
  });
});

test('a damaged file is said so, and stays', () => {
  const path = join(folder, 'databases.json');
  writeFileSync(path, '{');
  expect(() => seen('postgres://one/ledger', '71')).toThrow(`${path}, which says whose state is whose, is damaged`);
  expect(readFileSync(path, 'utf8')).toBe('{');
});
