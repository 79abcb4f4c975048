import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import example from '../../infra/config/example.ts';
import { statementsOf } from '../../local/template/statements.ts';
import { backupTypeSchema } from '../../shared/contract/schemas/backup.ts';
import { recoveryChangeSchema } from '../../shared/contract/schemas/recovery.ts';
import { restoreModeSchema } from '../../shared/contract/schemas/restore.ts';
import { validationLevelSchema } from '../../shared/contract/schemas/validation.ts';
import { synthesize } from '../infra/support/synthesize.ts';
import { exercises, features } from './functions.ts';

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
  // RDS rotates the passwords of the example, so that this function may do nothing there.
  functions.add('rotate-password');
  expect([...functions].sort()).toEqual(Object.keys(exercises).sort());
});

test.each([
  ['backup_type', backupTypeSchema.options],
  ['mode', restoreModeSchema.options],
  ['level', validationLevelSchema.options],
  ['recovery', recoveryChangeSchema.shape.status.unwrap().options],
] as const)('every %s of the contract is, too', (name, options) => {
  expect(Object.keys(features[name] ?? {}).sort()).toEqual([...options].sort());
});

test('the tests that are named for them are there', () => {
  const tests = readdirSync(import.meta.dirname)
    .filter((name) => name.endsWith('.db.test.ts'))
    .map((name) => readFileSync(join(import.meta.dirname, name), 'utf8'))
    .join('\n');
  for (const exercise of [
    ...Object.values(exercises),
    ...Object.values(features).flatMap((each) => Object.values(each)),
  ])
    if ('by' in exercise) expect(tests).toContain(exercise.by);
});
