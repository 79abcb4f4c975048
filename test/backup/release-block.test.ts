import { randomBytes } from 'node:crypto';
import { beforeAll, expect, test } from 'vitest';
import { backupLocation } from '../../shared/backup/location.ts';
import {
  type ObjectStore,
  readObject,
  type StoredObject,
  writeWhole,
} from '../../shared/backup/objects/object-store.ts';
import { releaseBlock } from '../../shared/backup/objects/release-block.ts';
import { useServices } from '../local/aws/support.ts';
import { openStore } from './support/open-store.ts';

const services = useServices();
const location = backupLocation('shop', 'one');
const signal = new AbortController().signal;
/** Half of it does not compress, so that what arrives ends anywhere within the memory that it is expanded into. */
const plain = Buffer.concat(Array.from({ length: 40 }, () => [randomBytes(100_000), Buffer.alloc(100_000)]).flat());
let store: ObjectStore;
let stored: StoredObject;

beforeAll(async () => {
  store = await openStore(services.current, 'backups');
  stored = await writeWhole(store, location, 'chunk', plain, { compressionLevel: 1, signal });
});

test('what is read is whole, and its memory is given back at once', async () => {
  let at = 0;
  const memory = new Set<ArrayBufferLike>();
  for await (const block of readObject(store, location, 'chunk', { compressed: true, expected: stored, signal })) {
    expect(block.equals(plain.subarray(at, at + block.length))).toBe(true);
    at += block.length;
    memory.add(block.buffer);
    releaseBlock(block);
  }
  expect(at).toBe(plain.length);
  const kept = [...memory].filter((buffer) => buffer.byteLength > 0);
  expect(memory.size).toBeGreaterThan(20);
  // The last one is not full.
  expect(kept.length).toBeLessThanOrEqual(1);
});

test('a block that others follow in its memory, and what lies in a pool, stay', () => {
  const whole = Buffer.allocUnsafeSlow(262_144).fill('x');
  releaseBlock(whole.subarray(0, 262_143));
  expect(whole.length).toBe(262_144);

  const pooled = [Buffer.from('one'), Buffer.from('two')];
  const [{ buffer } = Buffer.alloc(0)] = pooled;
  releaseBlock(Buffer.from(buffer, buffer.byteLength - 8));
  expect(pooled.map(String)).toEqual(['one', 'two']);
});
