import { STREAM_BLOCK_BYTES } from './object-store.ts';

/**
 * Gives the memory of a block of {@link readObject} back at once. What is read passes through memory that V8 counts as its own, and would
 * have it go through the whole heap each time that some 60 MB have passed: a tenth of the processor time of a restore's function.
 *
 * Blocks may share their memory, one behind the other: it goes with the one that ends it. Only memory of the size that the stream
 * makes is given back, as Node.js lends small buffers from a pool.
 *
 * @param block - of a compressed object, as are those before it, of which nothing is needed any more
 */
export function releaseBlock(block: Buffer): void {
  const { buffer } = block;
  const isLast = block.byteOffset + block.byteLength === buffer.byteLength;
  if (isLast && buffer.byteLength === STREAM_BLOCK_BYTES && buffer instanceof ArrayBuffer) buffer.transfer(0);
}
