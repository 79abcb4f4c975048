import { randomBytes } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { backupLocation } from '../../shared/backup/location.ts';
import { beginObject } from '../../shared/backup/objects/begin-object.ts';
import { type ObjectStore, type StoredObject, writeWhole } from '../../shared/backup/objects/object-store.ts';
import { objectsInTurn } from '../../shared/backup/objects/objects-in-turn.ts';
import { useServices } from '../local/aws/support.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { openStore } from './support/open-store.ts';
import { type WatchedReads, watchReads } from './support/watch-reads.ts';

const MEBIBYTE = 1_048_576;
/** The last one far larger than what streams and sockets keep. */
const SIZES = [1, 3, 3, 64].map((mebibytes) => mebibytes * MEBIBYTE);
const services = useServices();
const location = backupLocation('shop', 'one');
let stored: StoredObject[];
let contents: Buffer[];
let whole: ObjectStore;
let way: TcpProxy;
let reads: WatchedReads;
let stop: AbortController;

beforeAll(async () => {
  whole = await openStore(services.current, 'backups');
  contents = SIZES.map((bytes) => randomBytes(bytes));
  const writing = { compressionLevel: 1, signal: new AbortController().signal };
  stored = await Promise.all(contents.map((bytes, n) => writeWhole(whole, location, `chunk-${n}`, bytes, writing)));
});
beforeEach(async () => {
  way = await startTcpProxy(Number(new URL(services.current.endpoints.s3).port));
  reads = watchReads(whole, `http://127.0.0.1:${way.port}`);
  stop = new AbortController();
});
afterEach(async () => {
  reads.store.s3.destroy();
  await way.close();
});

const begin = (objects: readonly StoredObject[], options: Partial<Parameters<typeof objectsInTurn>[2]> = {}) =>
  objectsInTurn({ store: reads.store, location }, objects, { signal: stop.signal, ...options });
const asked = () => reads.openings.length;
/** A connection is closed a moment after it was told to. */
const closed = () => expect.poll(() => reads.open).toEqual([]);

async function readWhole(content: AsyncIterable<Buffer>): Promise<Buffer> {
  const blocks: Buffer[] = [];
  for await (const block of content) blocks.push(block);
  return Buffer.concat(blocks);
}

test('objects come one after the other, with one ahead and no more', async () => {
  let told = 0;
  const turn = begin(stored, { onLast: () => (told += 1) });
  for (const [n, expected] of contents.entries()) {
    const blocks: Buffer[] = [];
    for await (const block of turn.next()) {
      if (blocks.length === 0) await expect.poll(asked).toBe(Math.min(n + 2, stored.length));
      blocks.push(block);
      expect(told).toBe(n === stored.length - 1 ? 1 : 0);
    }
    expect(Buffer.concat(blocks).equals(expected)).toBe(true);
    expect(asked()).toBe(Math.min(n + 2, stored.length));
  }
  await turn.close();
  await closed();
  await expect(turn.next().next()).rejects.toThrow();
});

test('one whose reading has begun elsewhere is not asked for again', async () => {
  const [object] = stored as [StoredObject];
  const first = beginObject({ store: reads.store, location }, object, stop.signal);
  const turn = begin([object], { first });
  expect((await readWhole(turn.next())).equals(contents[0] as Buffer)).toBe(true);
  await turn.close();
  expect(asked()).toBe(1);
  await closed();
});

test('the one ahead is kept to the buffers of its streams, however large it is', async () => {
  const turn = begin([stored[0], stored[3]] as StoredObject[]);
  const content = turn.next();
  await content.next();
  await expect.poll(asked).toBe(2);
  // Time enough for all of it, if nothing held it back.
  await setTimeout(500);
  expect(way.received).toBeGreaterThan(MEBIBYTE);
  expect(way.received).toBeLessThan(32 * MEBIBYTE);
  await turn.close();
  await closed();
});

const endings: [string, (turn: ReturnType<typeof begin>) => Promise<unknown>][] = [
  ['is read', async () => undefined],
  ['has begun to come', (turn) => turn.next().next()],
  [
    'is given up in the middle',
    async (turn) => {
      for await (const _ of turn.next()) break;
    },
  ],
  [
    'is ended by its signal',
    async (turn) => {
      const content = turn.next();
      await content.next();
      stop.abort(new Error('The job was cancelled'));
      await expect(readWhole(content)).rejects.toThrow();
    },
  ],
  [
    'is still waited for',
    async (turn) => {
      void turn
        .next()
        .next()
        .catch(() => undefined);
    },
  ],
];
test.each(endings)('nothing stays open when the reading ends where the first %s', async (_, read) => {
  const turn = begin(stored.slice(2));
  await read(turn);
  await turn.close();
  await closed();
  const before = asked();
  await setTimeout(50);
  expect([asked(), reads.open]).toEqual([before, []]);
});

test('an object that is damaged fails where it is read, and nothing stays open', async () => {
  const [sound, other, last] = stored as [StoredObject, StoredObject, StoredObject];
  const turn = begin([sound, { ...other, sha256: sound.sha256 }, last]);
  expect((await readWhole(turn.next())).equals(contents[0] as Buffer)).toBe(true);
  await expect(readWhole(turn.next())).rejects.toMatchObject({ code: 'object_damaged' });
  await turn.close();
  await closed();
});

test('one that is missing fails where it is read, not before', async () => {
  const turn = begin([stored[1], { ...stored[2], path: 'missing' }] as StoredObject[]);
  expect((await readWhole(turn.next())).equals(contents[1] as Buffer)).toBe(true);
  await expect(readWhole(turn.next())).rejects.toMatchObject({ code: 'object_missing' });
  await turn.close();
  await closed();
});
