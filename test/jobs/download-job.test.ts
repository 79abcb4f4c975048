import { describe, expect, test } from 'vitest';
import type { DownloadState } from '../../shared/backup/download/write-download.ts';
import type { DownloadFile } from '../../shared/contract/schemas/download.ts';
import { OperationError } from '../../shared/errors.ts';
import type { DurableSteps } from '../../shared/jobs/attempts.ts';
import { CANCELLED } from '../../shared/jobs/cancellation.ts';
import {
  type DownloadEvent,
  type DownloadJobDependencies,
  runDownloadJob,
  type Written,
} from '../../shared/jobs/download-job.ts';
import { newBackupId, newJobId } from '../../shared/state/ids.ts';

const event: DownloadEvent = { database: 'shop', backup_id: newBackupId(), format: 'sql.gz', job_id: newJobId() };
const first: DownloadState = { upload_id: 'u', parts: 0, bytes: 0, pieces: 0, rows: 0, copied: 0 };

/** Runs the job; each call of `write` is the next of `results`: a state, an end, or an error. */
async function run(results: (Written | Error)[], { started = true } = {}) {
  const said: unknown[] = [];
  const from: number[] = [];
  const steps: DurableSteps = {
    step: (_name, work) => work(),
    audited: (_name, work) => work(),
    wait: async (name) => void said.push(name),
  };
  const dependencies: DownloadJobDependencies = {
    start: async () => started,
    begin: async () => first,
    write: async (_event, state) => {
      from.push(state.pieces);
      const result = results.shift();
      if (result === undefined || result instanceof Error) throw result ?? new Error('No more results');
      return result;
    },
    abort: async (_event, state) => void said.push({ aborted: state.pieces }),
    report: async () => undefined,
    succeed: async (_jobId, file) => void said.push(file),
    fail: async (_jobId, { code }) => void said.push(code),
    cancelled: async () => void said.push('cancelled'),
  };
  return { ...(await runDownloadJob(event, steps, dependencies)), said, from };
}

const at = (pieces: number, pause = false): Written => ({ state: { ...first, pieces }, pause });
const lost = new OperationError('store_failed', 'S3 failed', 'Try again.');

describe('the job of a download', () => {
  test('goes on from piece to piece, in a new invocation where the time is over, and says how long the file is kept', async () => {
    const before = Date.now();
    const { status, said, from } = await run([at(5), at(9, true), { bytes: 7 }]);
    expect([status, from]).toEqual(['succeeded', [0, 5, 9]]);
    expect(said).toEqual(['pause-2', { format: 'sql.gz', bytes: 7, expires_at: expect.any(String) }]);
    const kept = Date.parse((said[1] as DownloadFile).expires_at) - before;
    expect(kept).toBeGreaterThanOrEqual(86_400_000);
    expect(kept).toBeLessThan(86_400_000 + 60_000);
  });

  test('goes on from the last piece that is recorded after a passing failure', async () => {
    const { status, from } = await run([at(5), lost, lost, at(6), { bytes: 7 }]);
    expect([status, from]).toEqual(['succeeded', [0, 5, 5, 5, 6]]);
  });

  test('removes what is stored when it fails for good or is cancelled', async () => {
    expect(await run([at(5), lost, lost, lost])).toMatchObject({
      status: 'failed',
      said: [expect.any(String), expect.any(String), { aborted: 5 }, 'store_failed'],
    });
    const cancelled = new OperationError(CANCELLED, 'It was cancelled', 'Start another.');
    expect(await run([at(3), cancelled])).toMatchObject({ status: 'cancelled', said: [{ aborted: 3 }, 'cancelled'] });
  });

  test('does nothing when it was cancelled before it began', async () => {
    expect(await run([], { started: false })).toMatchObject({ status: 'cancelled', said: [], from: [] });
  });
});
