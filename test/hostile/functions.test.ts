import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import example from '../../infra/config/example.ts';
import { statementsOf } from '../../local/template/statements.ts';
import { synthesize } from '../infra/support/synthesize.ts';
import { exercises } from './functions.ts';

test('every function that may log in to databases is put before the hostile one, or says why not', async () => {
  const [shop, ledger] = example.databases;
  if (shop === undefined || ledger === undefined) throw new Error('The example has no two databases');
  const secretKey = 'arn:aws:kms:eu-central-1:123456789012:key/0a1b2c3d-0000-4000-8000-000000000000';
  // As in test/infra/policies.test.ts, so that it is synthesized once for both.
  const synthesized = await synthesize({ ...example, databases: [{ ...shop, secret_key_arn: secretKey }, ledger] });
  const logins = statementsOf(synthesized.app.resources).filter(
    ({ effect, actions }) =>
      effect === 'Allow' && actions.some((action) => /^(rds-db:connect|secretsmanager:GetSecretValue)$/.test(action)),
  );
  const prefix = /^dbms-/;
  const functions = new Set(logins.flatMap(({ roles }) => roles).map((name) => name.replace(prefix, '')));
  expect(functions.size).toBeGreaterThan(5);
  expect([...functions].filter((name) => !(name in exercises))).toEqual([]);
});

test('the tests that are named for them are there', () => {
  const tests = readFileSync(join(import.meta.dirname, 'hostile.db.test.ts'), 'utf8');
  for (const exercise of Object.values(exercises))
    if ('by' in exercise) expect(tests).toContain(`test('${exercise.by}`);
});
