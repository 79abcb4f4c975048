import { expect, test } from 'vitest';
import { runtimeConfigurationSchema } from '../../shared/configuration/runtime.ts';
import { restoreTarget } from '../../shared/jobs/restore-target.ts';
import { unmanagedTarget } from '../../shared/jobs/unmanaged-target.ts';

const login = { type: 'passwordless', user: 'dbms' };
const configuration = runtimeConfigurationSchema.parse({
  databases: [
    { id: 'shop', host: 'pooler.example', name: 'shop', login, direct: { host: 'db.example' } },
    { id: 'crm', host: 'DB.example', name: 'crm', login },
    { id: 'far', host: 'far.example', name: 'legacy', login },
  ],
});
const found = (mode: 'new' | 'swap' | 'data' | 'beside', target_database?: string, confirm_unmanaged?: string) => {
  const target = restoreTarget(configuration, { database: 'shop' }, { environment: undefined, target_database });
  const { problems, warnings } = unmanagedTarget(target, { mode, confirm_unmanaged });
  return [problems.map(({ code }) => code), warnings.map(({ code }) => code)];
};

test('a check names a database that a swap would replace and this system does not manage, until its name is sent once more', () => {
  expect(found('swap', 'legacy')).toEqual([['target_not_managed'], []]);
  expect(found('swap', 'legacy', 'Legacy')).toEqual([['target_not_managed'], []]);
  expect(found('swap', 'legacy', 'legacy')).toEqual([[], ['target_not_managed']]);
});

test('a check warns of other modes that change such a database, and of none that creates one', () => {
  expect(found('data', 'legacy')).toEqual([[], ['target_not_managed']]);
  expect(found('beside', 'legacy')).toEqual([[], ['target_not_managed']]);
  expect(found('new', 'legacy')).toEqual([[], []]);
});

test('a configured database on the same server is managed, also where another one is reached through a pooler', () => {
  expect(found('swap')).toEqual([[], []]);
  expect(found('swap', 'crm')).toEqual([[], []]);
});
