import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { newBackupId, newJobId } from '../../shared/state/ids.ts';
import { anyServer, createScratchDatabase, databaseOf, withClient } from '../support/servers.ts';
import { useBackupHarness } from './support/harness.ts';

const harness = useBackupHarness();
const script = fileURLToPath(new URL('./support/measured-run.ts', import.meta.url));

/** With its header and the end of its line, the longest text that a server sends: its buffers hold 1,073,741,823 bytes. */
const LONGEST = 1_073_741_000;

test('the longest value that a server can send passes, both ways, in memory that does not grow with it', async () => {
  const server = anyServer();
  const source = await createScratchDatabase(server);
  const restored = databaseOf(server, `${source.name}_restored`);
  await withClient(server, source.name, (client) =>
    client.query(`CREATE TABLE long (text text); INSERT INTO long SELECT repeat('x', ${LONGEST})`),
  );
  const { bucket, keyArn } = harness.store;
  const argument = {
    server,
    database: source.name,
    restored: restored.name,
    id: newBackupId(),
    jobId: newJobId(),
    endpoint: harness.services.endpoints.s3,
    bucket,
    keyArn,
  };
  const { stdout } = await promisify(execFile)(process.execPath, [script, JSON.stringify(argument)]);
  const { totals, kilobytes } = JSON.parse(stdout);
  expect(totals).toMatchObject({ rows: 1, bytes: LONGEST + 1 });
  // Less than half of the one value.
  expect(kilobytes.backup).toBeLessThan(400_000);
  expect(kilobytes.restore).toBeLessThan(400_000);
  await withClient(server, restored.name, async (client) => {
    const { rows } = await client.query('SELECT octet_length(text) AS length FROM long');
    expect(rows).toEqual([{ length: LONGEST }]);
  });
  await restored.drop();

  // Its default is no part of the stored row, but of what is sent.
  await withClient(server, source.name, (client) =>
    client.query(`ALTER TABLE long ADD COLUMN more text DEFAULT '${'y'.repeat(1000)}'`),
  );
  const id = newBackupId();
  await expect(harness.backUp(source.target(), { id })).rejects.toMatchObject({
    code: 'value_too_large',
    message: expect.stringContaining('public.long'),
  });
  expect([...(await harness.keys({ id })), ...(await harness.unfinishedUploads())]).toEqual([]);
  await source.drop();
});
