import { expect, test } from 'vitest';
import { OperationError } from '../../shared/errors.ts';
import { type DurableSteps, runAttempts } from '../../shared/jobs/attempts.ts';
import { bookkeep } from '../../shared/jobs/bookkeeping.ts';
import { auditSteps } from '../../shared/jobs/step-audit.ts';
import type { Auditor, AuditSubject } from '../../shared/security/audit/auditor.ts';

const unavailable = new OperationError('audit_unavailable', 'Nothing was done', 'Try again.');

/** Steps of a restore whose audit trail cannot be written for the first `outages` steps. */
function auditedSteps(outages: number) {
  const recorded: AuditSubject[] = [];
  const waits: string[] = [];
  let left = outages;
  const auditor: Pick<Auditor, 'audited'> = {
    audited: async (subject, work) => {
      if (left-- > 0) throw unavailable;
      recorded.push(subject);
      return work({});
    },
  };
  const jobs = { find: async () => null };
  const job = { kind: 'restore', database: 'shop', target: 'shop_2', jobId: 'job-1', requestedBy: 'alice' } as const;
  const steps: DurableSteps = {
    step: (_name, work) => work(),
    wait: async (name) => void waits.push(name),
    audited: auditSteps({ auditor, jobs }, job),
  };
  return { steps, recorded, waits };
}

test('a step is recorded as what its job does, whatever its number', async () => {
  const { steps, recorded } = auditedSteps(0);
  await runAttempts(steps, 'load', async () => 'loaded');
  await bookkeep(steps, 'record', async () => undefined);
  const common = {
    source: 'job',
    actor: 'alice',
    database: 'shop',
    target: 'shop_2',
    address: null,
    request_id: 'job-1',
  };
  expect(recorded).toEqual([
    { ...common, operation: 'restore.load' },
    { ...common, operation: 'restore.record' },
  ]);
});

test('a step that cannot be recorded does nothing, and is tried again', async () => {
  const { steps, waits } = auditedSteps(1);
  let done = 0;
  const outcome = await runAttempts(steps, 'load', async () => ++done);
  expect([outcome, waits]).toEqual([{ status: 'done', result: 1 }, ['load-wait-1']]);
});

test('a job whose steps cannot be recorded fails with that, and has done nothing', async () => {
  const { steps } = auditedSteps(Number.POSITIVE_INFINITY);
  let done = 0;
  const outcome = await runAttempts(steps, 'load', async () => ++done);
  expect([outcome, done]).toEqual([
    { status: 'failed', error: { code: 'audit_unavailable', message: 'Nothing was done', next_step: 'Try again.' } },
    0,
  ]);
});

test('how a job stands is written down once the trail can be written', async () => {
  const { steps, waits } = auditedSteps(2);
  expect(await bookkeep(steps, 'record', async () => 'written')).toBe('written');
  expect(waits).toEqual(['record-wait-1', 'record-wait-2']);
});
