import { Validator } from '@seriousme/openapi-schema-validator';
import { expect, test } from 'vitest';
import { createOpenApiDocument } from '../../shared/contract/openapi.ts';
import { basePath, routes } from '../../shared/contract/routes.ts';

const document = createOpenApiDocument('/v1');

test('the document is valid OpenAPI 3.1', async () => {
  const validator = new Validator();
  const { valid, errors } = await validator.validate({ ...structuredClone(document) });
  expect(errors).toBeUndefined();
  expect(valid).toBe(true);
  expect(validator.version).toBe('3.1');
});

test('every route is in it once, with its role, its errors and its security', () => {
  const operations = Object.entries(document.paths ?? {}).flatMap(([path, item]) =>
    Object.entries(item ?? {}).map(([method, operation]) => ({ path, method, ...operation })),
  );
  expect(operations).toHaveLength(routes.length);
  expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(routes.length);
  for (const route of routes) {
    const operation = operations.find(({ operationId }) => operationId === route.operationId);
    expect(operation).toMatchObject({ path: basePath + route.path, method: route.method.toLowerCase() });
    const isPublic = route.leastRole === 'public';
    expect(operation?.security).toEqual(isPublic ? [] : [{ bearer: [] }]);
    expect(Object.keys(operation?.responses ?? {})).toEqual(
      expect.arrayContaining([...Object.keys(route.responses), '500', ...(isPublic ? [] : ['401', '403'])]),
    );
  }
});

test('a POST that starts a job documents its Idempotency-Key and both headers of its answer', () => {
  const operation = document.paths?.[`${basePath}/backups`]?.post;
  expect(operation?.parameters).toContainEqual(expect.objectContaining({ name: 'Idempotency-Key', in: 'header' }));
  expect(Object.keys(operation?.responses?.['202']?.headers ?? {})).toEqual(['Location', 'Idempotent-Replayed']);
});

test('what goes in and what comes out share one schema each', () => {
  expect(Object.keys(document.components?.schemas ?? {}).sort()).toEqual([
    'Access',
    'Alert',
    'AlertThresholds',
    'AuditRecord',
    'AuditVerification',
    'Backup',
    'BackupDamage',
    'BackupSample',
    'ChangedMasking',
    'Check',
    'ClosedConnections',
    'Compliance',
    'ComplianceRule',
    'ComplianceWaivers',
    'Connection',
    'ConnectionStats',
    'Doctor',
    'DoctorFinding',
    'DownloadAddress',
    'DownloadFile',
    'Health',
    'Increment',
    'Job',
    'JobError',
    'LockedSession',
    'Locks',
    'Login',
    'Masking',
    'MetricsHistory',
    'PersonalData',
    'Problem',
    'Progress',
    'RecoveryWindow',
    'RestoreCheck',
    'Retention',
    'RetentionReason',
    'RowChanges',
    'Schedule',
    'ScheduleRun',
    'Schedules',
    'SecuritySettings',
    'SecuritySettingsView',
    'StoredObject',
    'StoredObjects',
    'Swap',
    'TokenRevocation',
    'UnfinishedDatabase',
    'Validation',
    'ValidationReport',
  ]);
});
