import { expect, it } from 'vitest';
import { UnfinishedRestore } from '../../shared/backup/restore/failure.ts';
import type { IntegrityRound } from '../../shared/backup/validate/check-integrity.ts';
import type { ErrorCode } from '../../shared/core/errors/catalogue.ts';
import { OperationError } from '../../shared/errors.ts';
import type { DurableSteps } from '../../shared/jobs/attempts.ts';
import {
  runValidationJob,
  type ValidationEnd,
  type ValidationJobDependencies,
} from '../../shared/jobs/validation-job.ts';
import { newBackupId, newJobId } from '../../shared/state/ids.ts';

const [jobId, backupId] = [newJobId(), newBackupId()];

/** Runs a job with steps that run at once; tells what it did and how it ended. */
async function run(level: 'integrity' | 'restore', changes: Partial<ValidationJobDependencies>) {
  const log: string[] = [];
  const ends: ValidationEnd[] = [];
  const steps: DurableSteps = {
    audited: (_name, work) => work(),
    step: (name, work) => {
      log.push(name);
      return work();
    },
    wait: async (name) => {
      if (name.includes('afresh')) log.push(name);
    },
  };
  const { status } = await runValidationJob({ database: 'shop', level, requested_by: 'schedule' }, steps, {
    register: async () => ({ jobId, backupId }),
    start: async () => true,
    report: async () => undefined,
    checkIntegrity: async () => expect.unreachable(),
    drill: async () => expect.unreachable(),
    discard: async () => undefined,
    end: async (end) => void ends.push(end),
    cancelled: async () => void log.push('cancelled'),
    ...changes,
  });
  return { status, log, end: ends[0] };
}

const round = (more: Partial<IntegrityRound>): IntegrityRound => ({
  ...{ left: null, objects: 10, damagedObjects: 0, damaged: [] },
  ...more,
});
const damage = (n: number) => ({ path: `data/${n}`, code: 'object_damaged', message: `damage ${n}` });
const problem = (code: ErrorCode) => new OperationError(code, 'what happened', 'what to do');

it('reads on, round after round, from where the last one ended, and adds up what was found', async () => {
  const rounds = [
    round({ left: { next: 12, again: [7] }, damagedObjects: 1, damaged: [damage(1)] }),
    round({ left: { next: 20, again: [] } }),
    round({ damagedObjects: 150, damaged: Array.from({ length: 100 }, (_, n) => damage(n + 2)) }),
  ];
  const from: unknown[] = [];
  const { status, end, log } = await run('integrity', {
    checkIntegrity: async (_validation, position) => {
      from.push(position);
      return rounds[from.length - 1] as IntegrityRound;
    },
  });
  expect(from).toEqual([{ next: 0, again: [] }, rounds[0]?.left, rounds[1]?.left]);
  expect(log).toEqual([
    'register',
    'integrity-1-1',
    'integrity-afresh-1',
    'integrity-2-1',
    'integrity-afresh-2',
    'integrity-3-1',
    'record',
  ]);
  expect([status, end?.outcome, end?.report.objects, end?.report.damaged_objects]).toEqual([
    'failed',
    'failed',
    30,
    151,
  ]);
  expect(end?.report.damaged).toHaveLength(100);
  expect(end?.error?.message).toMatch(/^151 of 30 objects .*data\/1: damage 1; .*and more, which the job names$/);
});

it('gives up when a whole invocation does not get any further, which says nothing of the backup', async () => {
  let rounds = 0;
  const { end } = await run('integrity', {
    checkIntegrity: async () => {
      rounds += 1;
      return round({ left: { next: 4, again: [0, 1, 2, 3] }, objects: 0 });
    },
  });
  expect([rounds, end?.outcome, end?.error?.code]).toEqual([1, 'inconclusive', 'time_exceeded']);
});

it.each<[ErrorCode, string]>([
  ['database_unreachable', 'inconclusive'],
  ['disk_full', 'inconclusive'],
  ['rows_differ', 'failed'],
  ['structure_differs', 'failed'],
  ['schema_refused', 'failed'],
])('takes %s of a drill for %s', async (code, outcome) => {
  const { end } = await run('restore', {
    drill: async () => {
      throw problem(code);
    },
  });
  expect([end?.outcome, end?.error?.code]).toEqual([outcome, code]);
});

it('goes on with the scratch database of an attempt whose time was over, and drops it in the end, whatever came of it', async () => {
  let attempts = 0;
  const passed = await run('restore', {
    drill: async () => {
      attempts += 1;
      if (attempts < 5)
        throw new UnfinishedRestore(new DOMException('The time is over', 'TimeoutError'), 'dbms_drill_x');
      return ['a warning'];
    },
  });
  expect(passed.log.slice(-3)).toEqual(['drill-5', 'discard', 'record']);
  expect([passed.status, passed.end?.warnings]).toEqual(['succeeded', ['a warning']]);
  const failed = await run('restore', {
    drill: async () => {
      throw new UnfinishedRestore(problem('connection_lost'), 'dbms_drill_x');
    },
  });
  expect(failed.log).toEqual(['register', 'drill-1', 'drill-2', 'drill-3', 'discard', 'record']);
});

it('says when the scratch database could not be dropped', async () => {
  const { status, end } = await run('restore', {
    drill: async () => [],
    discard: async () => {
      throw new Error('no route');
    },
  });
  expect([status, end?.warnings]).toEqual(['succeeded', [expect.stringMatching(/could not be dropped.*no route/)]]);
});

it('records no outcome when it was cancelled, and drops its scratch database all the same', async () => {
  const { status, log, end } = await run('restore', {
    drill: async () => {
      throw problem('job_cancelled');
    },
  });
  expect([status, end]).toEqual(['cancelled', undefined]);
  expect(log).toEqual(['register', 'drill-1', 'discard', 'record', 'cancelled']);
});
