import { expect, test } from 'vitest';
import { UnfinishedRestore } from '../../../shared/backup/restore/failure.ts';
import { newJobId } from '../../../shared/state/ids.ts';
import { databaseDifferences } from '../../support/compare/compare.ts';
import { createEverything } from '../../support/everything/create-everything.ts';
import { forEachServer, type ScratchDatabase } from '../../support/servers.ts';
import { useBackupHarness } from '../support/harness.ts';
import { unfinishedOf } from '../support/unfinished.ts';

const harness = useBackupHarness();

const FIRST_ATTEMPT_MS = 250;
/** On a slow machine as on a quick one, all attempts take some times as long as the restore. */
const GROWTH = 1.2;

forEachServer((server) => {
  test('a database with one of everything comes back equal over many attempts, each cut off after a moment', {
    timeout: 300_000,
  }, async () => {
    const source = await createEverything(server);
    const manifest = await harness.backUp(source.target());
    const before = await unfinishedOf(server);
    const jobId = newJobId();
    let attempts = 0;
    for (;;) {
      attempts += 1;
      const signal = AbortSignal.timeout(Math.round(FIRST_ATTEMPT_MS * GROWTH ** attempts));
      const outcome = await harness
        .restore(manifest, server, { jobId, signal, request: { resumable: true } })
        .catch((error: unknown) => error);
      // Before the database is begun there is nothing to keep.
      if ((outcome as Error).name === 'TimeoutError' || outcome instanceof UnfinishedRestore) continue;
      if (outcome instanceof Error) throw outcome;
      const restored = outcome as ScratchDatabase & { summary: { warnings: string[] } };
      expect(restored.summary.warnings).toEqual([]);
      expect(await databaseDifferences(source, restored)).toEqual([]);
      await restored.drop();
      break;
    }
    expect(attempts).toBeGreaterThan(2);
    expect(await unfinishedOf(server)).toEqual(before);
    await source.drop();
  });
});
