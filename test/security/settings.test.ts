import { afterAll, beforeAll, expect, test } from 'vitest';
import { runtimeConfigurationSchema } from '../../shared/configuration/runtime.ts';
import { configuredSettings } from '../../shared/security/settings/configured-settings.ts';
import { forgetSettings, readSecuritySettings } from '../../shared/security/settings/read-settings.ts';
import {
  latestVersions,
  readStoredSettings,
  writeStoredSettings,
} from '../../shared/security/settings/settings-store.ts';
import { type StateService, startState } from '../state/support.ts';

const configured = configuredSettings(
  runtimeConfigurationSchema.parse({
    databases: [
      {
        id: 'shop',
        host: 'db.example',
        name: 'shop',
        login: { type: 'secret', secret_arn: 'arn:aws:secretsmanager:eu-west-1:111122223333:secret:shop' },
      },
    ],
    identity: { issuer: 'https://issuer.example', audience: 'dbms', session_max_age_seconds: 5400 },
    allowed_address_ranges: ['10.0.0.0/8'],
    audit: { retention_days: 30 },
  }),
);

let state: StateService;
beforeAll(async () => {
  state = await startState();
});
afterAll(() => state.close());

test('hold what the configuration says until somebody sets them, and every version is kept', async () => {
  const { table } = state;
  const read = () => readSecuritySettings(table, () => configured);
  expect(await read()).toEqual({
    enable_audit: true,
    max_audit_retention_days: 30,
    session_max_age_minutes: 90,
    allowed_address_ranges: ['10.0.0.0/8'],
    requests_per_minute: 600,
    trusted_environments: [],
  });
  const first = { ...configured, max_audit_retention_days: 400 };
  expect(await writeStoredSettings(table, 0, first, 'alice', new Date())).toMatchObject({ version: 1 });
  expect(await read()).toEqual(configured);
  forgetSettings(table);
  expect(await read()).toEqual(first);
  expect(await writeStoredSettings(table, 0, configured, 'bob', new Date())).toBeNull();
  expect(await writeStoredSettings(table, 1, configured, 'bob', new Date())).toMatchObject({ version: 2 });
  expect(await readStoredSettings(table)).toMatchObject({ version: 2, changed_by: 'bob' });
  expect((await latestVersions(table, 10)).map(({ version, changed_by }) => [version, changed_by])).toEqual([
    [2, 'bob'],
    [1, 'alice'],
  ]);
});
