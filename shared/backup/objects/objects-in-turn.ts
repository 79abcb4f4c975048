import { type BegunObject, beginObject } from './begin-object.ts';
import type { StoredObject } from './object-store.ts';

/** The contents of objects, in the order in which they were given. To be closed on every path. */
export interface ObjectsInTurn {
  /** The plain content of the next object, to be read to its end before the one after it. */
  next(): AsyncGenerator<Buffer>;
  /** Ends what is being read, and what has begun to be. */
  close(): Promise<void>;
}

/**
 * Reads objects one after the other, the first at once. While one is waited for and made use of, the next is under way: each takes a
 * call of S3 and one of KMS, for which its reader would wait otherwise. No more than one is ahead, so memory does not grow with their
 * number.
 *
 * @param first - the first of `objects`, where its reading has begun elsewhere
 * @param onLast - called when the last one's turn has come: none of these is left to read ahead
 */
export function objectsInTurn(
  source: Parameters<typeof beginObject>[0],
  objects: readonly StoredObject[],
  {
    signal,
    first,
    onLast,
  }: { signal: AbortSignal; first?: BegunObject | undefined; onLast?: (() => void) | undefined },
): ObjectsInTurn {
  const left = objects.slice(first ? 1 : 0).values();
  let isClosed = false;
  let current: BegunObject | undefined;
  let ahead = first;
  const beginNext = (): void => {
    if (isClosed) return;
    const { value: object } = left.next();
    ahead = object && beginObject(source, object, signal);
    if (!ahead) onLast?.();
  };
  if (!ahead && objects.length > 0) beginNext();
  return {
    async *next() {
      if (!ahead) throw new Error('There is no further object');
      current = ahead;
      ahead = undefined;
      beginNext();
      yield* current.content;
    },
    async close() {
      isClosed = true;
      await Promise.all([current?.close(), ahead?.close()]);
    },
  };
}
