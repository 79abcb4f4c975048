import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DownloadStore } from '../../../shared/backup/download/multipart.ts';
import type { Manifest } from '../../../shared/backup/manifest.ts';
import { databaseDifferences } from '../../support/compare/compare.ts';
import { createEverything } from '../../support/everything/create-everything.ts';
import { psqlIsInstalled } from '../../support/psql.ts';
import { forEachServer, type ScratchDatabase } from '../../support/servers.ts';
import { useBackupHarness } from '../support/harness.ts';
import { createDownloadBucket, downloadOf, loadDownload, makeDownload } from './support.ts';

const harness = useBackupHarness();
let downloads: DownloadStore;
beforeAll(async () => {
  downloads = await createDownloadBucket(harness);
});

const withPsql = psqlIsInstalled ? '' : ' (left out, as there is no psql on this machine)';

forEachServer((server) => {
  describe.runIf(psqlIsInstalled)(`a database with one of everything${withPsql}`, () => {
    let source: ScratchDatabase;
    let manifest: Manifest;
    beforeAll(async () => {
      source = await createEverything(server, { bigRowBytes: 4_000_000 });
      manifest = await harness.backUp(source.target());
    });
    afterAll(async () => {
      await source?.drop();
    });

    test.each(['sql.zst', 'sql.gz'] as const)('is equal when psql has loaded its script (%s)', async (format) => {
      const loaded = await loadDownload(
        downloads,
        await makeDownload(harness, downloads, downloadOf(manifest, format)),
        server,
      );
      expect(loaded.notices).toBe('');
      expect(await databaseDifferences(source, loaded)).toEqual([]);
      await loaded.drop();
    });
  });
});
