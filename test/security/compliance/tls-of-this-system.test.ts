import { expect, test } from 'vitest';
import { tlsSchema } from '../../../shared/configuration/tls.ts';
import { tlsRules } from '../../../shared/security/compliance/rules/tls.ts';

const rule = tlsRules.find(({ id }) => id === 'tls_of_this_system');
/** Of what the rule is given, it reads this alone. */
const judge = rule?.judge as unknown as (reading: object, world: object) => { status: string };

test.each([
  [true, { mode: 'verify' }, 'pass', 'encrypted, and the server verified'],
  [true, { mode: 'verify-ca' }, 'fail', 'with tls.mode verify-ca the host name is not verified'],
  [true, { mode: 'require', ca: 'PEM' }, 'fail', 'with tls.mode require the host name is not verified'],
  [true, { mode: 'require' }, 'fail', 'with tls.mode require the certificate is not verified'],
  [true, { mode: 'prefer' }, 'fail', 'with tls.mode prefer the certificate is not verified'],
  [false, { mode: 'verify-full' }, 'fail', 'plain text'],
])('encrypted: %s, %j: %s', (is_encrypted, tls, status, words) => {
  const database = { id: 'shop', tls: tlsSchema.parse(tls) };
  const verdict = judge({ is_encrypted }, { database });
  expect(verdict).toMatchObject({ status });
  expect(JSON.stringify(verdict)).toContain(words);
});
