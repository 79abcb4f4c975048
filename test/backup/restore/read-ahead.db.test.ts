import { setTimeout } from 'node:timers/promises';
import { CopyObjectCommand } from '@aws-sdk/client-s3';
import type pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { backupPrefix } from '../../../shared/backup/layout.ts';
import type { Manifest } from '../../../shared/backup/manifest.ts';
import {
  anyServer,
  connectTo,
  createScratchDatabase,
  type ScratchDatabase,
  withClient,
} from '../../support/servers.ts';
import { DATABASE_ID, useBackupHarness } from '../support/harness.ts';
import { rowsOf } from '../support/same-rows.ts';
import { type WatchedReads, watchReads } from '../support/watch-reads.ts';

const harness = useBackupHarness();
const server = anyServer();
const LARGE = ['one', 'other'];
const SMALL = ['a', 'b', 'c'];
const ROWS = 4000;
let source: ScratchDatabase;
let manifest: Manifest;
let reads: WatchedReads;
beforeAll(async () => {
  source = await createScratchDatabase(server);
  await withClient(server, source.name, (client) =>
    client.query(`
      CREATE FUNCTION pass(gate text) RETURNS bool LANGUAGE plpgsql AS $$
        BEGIN
          WHILE EXISTS (SELECT FROM pg_catalog.pg_stat_activity WHERE application_name = 'gate ' || gate) LOOP
            PERFORM pg_catalog.pg_sleep(0.02), pg_catalog.pg_stat_clear_snapshot();
          END LOOP;
          RETURN true;
        END $$;
      ${LARGE.map(
        (name) => `
          CREATE TABLE ${name} (n int CHECK (CASE n WHEN 1 THEN pass('first') WHEN ${ROWS} THEN pass('last') ELSE true END), text text);
          INSERT INTO ${name} SELECT n, repeat(md5(n::text), 30) FROM generate_series(1, ${ROWS}) AS n;`,
      ).join('\n')}
      ${SMALL.map((name) => `CREATE TABLE ${name} AS SELECT 1 AS n;`).join('\n')}`),
  );
  manifest = await harness.backUp(source.target());
});
afterAll(() => source?.drop());
beforeEach(() => {
  reads = watchReads(harness.store, harness.services.endpoints.s3);
});

const gates: pg.Client[] = [];
afterEach(async () => {
  await Promise.all(gates.splice(0).map((client) => client.end()));
});

/** As long as it is closed, the rows that pass it are not loaded. */
async function closeGate(name: string): Promise<() => Promise<void>> {
  const client = await connectTo(server, 'postgres');
  gates.push(client);
  await client.query(`SET application_name = 'gate ${name}'`);
  return () => client.end();
}
const restore = (connections: number, signal = new AbortController().signal) =>
  harness.restore(manifest, server, { store: reads.store, settings: { connections }, signal });
/** Names of the tables whose chunks have been asked for. */
const asked = () => reads.openings.flatMap((open) => /\/data\/public\.(\w+)\./.exec(open.at(-1) ?? '')?.[1] ?? []);
const chunksOf = (table: string) => manifest.tables.find(({ name }) => name === table)?.chunks ?? [];
const closed = () => expect.poll(() => reads.open).toEqual([]);

/** It is so, and stays so. */
async function expectAsked(count: number): Promise<void> {
  await expect.poll(() => asked().length, { timeout: 120_000 }).toBe(count);
  await setTimeout(200);
  expect(asked()).toHaveLength(count);
}

test.each([1, 2])('each of %i sessions reads one chunk ahead, also of its next table', async (sessions) => {
  const [openFirst, openLast] = [await closeGate('first'), await closeGate('last')];
  const restoring = restore(sessions);
  await expectAsked(2 * sessions);
  expect(new Set(asked()).size).toBe(sessions);
  await openFirst();
  const chunks = LARGE.slice(0, sessions).reduce((sum, name) => sum + chunksOf(name).length, 0);
  await expectAsked(chunks + sessions);
  await openLast();
  const restored = await restoring;
  expect(asked()).toHaveLength([...LARGE, ...SMALL].reduce((sum, name) => sum + chunksOf(name).length, 0));
  expect(Math.max(...reads.openings.map((open) => open.length))).toBeLessThanOrEqual(2 * sessions);
  await closed();
  const tables = [...LARGE, ...SMALL];
  expect(await rowsOf(server, restored.name, tables)).toEqual(await rowsOf(server, source.name, tables));
  await restored.drop();
});

describe('a restore that ends early leaves no object open:', () => {
  test.each([1, 2])('its signal, %i sessions', async (sessions) => {
    const stop = new AbortController();
    reads.onOpen = () => {
      if (asked().length === 3) stop.abort(new Error('The job was cancelled'));
    };
    await expect(restore(sessions, stop.signal)).rejects.toThrow('The job was cancelled');
    await closed();
  });

  test('an object in the place of another', async () => {
    const { bucket, s3 } = harness.store;
    const prefix = backupPrefix(DATABASE_ID, manifest.id);
    const [second = '', third = ''] = chunksOf('one')
      .slice(1)
      .map(({ path }) => path);
    const copy = (from: string, to: string) =>
      s3.send(new CopyObjectCommand({ Bucket: bucket, Key: prefix + to, CopySource: `${bucket}/${prefix}${from}` }));
    await copy(second, 'kept');
    await copy(third, second);
    await expect(restore(2)).rejects.toMatchObject({ code: 'object_misplaced' });
    await closed();
    await copy('kept', second);
  });
});
