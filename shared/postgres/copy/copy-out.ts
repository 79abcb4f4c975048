import type { Socket } from 'node:net';
import type pg from 'pg';
import { type ByteTap, tapBytes } from './byte-tap.ts';

/** Message types of the frontend/backend protocol that appear while a COPY OUT runs. */
const COPY_DATA = 0x64; // 'd'
const COPY_OUT_RESPONSE = 0x48; // 'H'
const ASYNCHRONOUS = new Set([0x4e, 0x53, 0x41]); // NoticeResponse, ParameterStatus, NotificationResponse
const HEADER_LENGTH = 5;

interface PgConnection {
  stream: Socket;
  query(text: string): void;
}

/**
 * Receives COPY text in blocks. A returned promise holds the server back until it is settled; after that the block's memory
 * is used again, so a consumer that keeps bytes copies them.
 */
export type BlockConsumer = (block: Buffer) => Promise<void>;

/**
 * Runs `COPY ... TO STDOUT` and hands its text on in blocks of up to `blockBytes`.
 *
 * The rows' frames are taken off the socket here, past the driver's parser: one event per row costs several times the
 * processor time of the copy itself. Every other message goes to the driver as usual.
 *
 * @param client - a connection nobody else uses meanwhile
 * @param sql - the COPY statement
 * @param signal - ends the copy at once by closing the connection, so that the server stops as well
 * @returns the number of rows, as the server counted them
 * @throws the server's or the connection's error, or the consumer's; after the latter the connection is unusable
 */
export function copyOut(
  client: pg.Client,
  sql: string,
  consume: BlockConsumer,
  { signal, blockBytes = 1_048_576 }: { signal: AbortSignal; blockBytes?: number },
): Promise<number> {
  return new Promise((resolve, reject) => {
    let connection: PgConnection | undefined;
    let tap: ByteTap | undefined;
    let rows = 0;
    let failure: unknown;
    let settled = false;

    let block: Buffer = Buffer.allocUnsafe(blockBytes);
    let used = 0;
    let payloadLeft = 0;
    let partialHeader: Buffer | undefined;
    const waiting: Buffer[] = [];
    /** Blocks to fill again: allocating a new one each time costs as much as copying the rows. */
    const free: Buffer[] = [];
    let consuming: Promise<void> | undefined;

    const settle = (): void => {
      if (settled) return;
      settled = true;
      client.off('end', onEnd);
      client.off('error', onError);
      signal.removeEventListener('abort', onAbort);
      if (failure === undefined) resolve(rows);
      else reject(failure);
    };
    const onError = (error: Error): void => {
      failure ??= error;
    };
    const onEnd = (): void => {
      failure ??= new Error('Connection terminated unexpectedly');
      tap?.release();
      settle();
    };

    const onAbort = (): void => {
      failure ??= signal.reason;
      connection?.stream.destroy();
    };

    const handOver = (full: Buffer): void => {
      if (failure !== undefined) return;
      if (consuming) {
        waiting.push(full);
        return;
      }
      consuming = (async () => {
        let next: Buffer | undefined = full;
        while (next !== undefined) {
          await consume(next);
          if (next.length === blockBytes) free.push(next);
          next = waiting.shift();
          if (waiting.length === 0) connection?.stream.resume();
        }
      })()
        .catch((error: unknown) => {
          failure ??= error;
          waiting.length = 0;
          connection?.stream.destroy();
        })
        .finally(() => {
          consuming = undefined;
        });
    };

    const append = (chunk: Buffer, from: number, to: number): void => {
      let start = from;
      while (start < to) {
        const end = Math.min(to, start + block.length - used);
        chunk.copy(block, used, start, end);
        used += end - start;
        start = end;
        if (used === block.length) {
          handOver(block);
          block = free.pop() ?? Buffer.allocUnsafe(blockBytes);
          used = 0;
        }
      }
    };

    const onData = (received: Buffer): void => {
      let chunk = received;
      let position = 0;
      if (partialHeader) {
        chunk = Buffer.concat([partialHeader, received]);
        partialHeader = undefined;
      }
      while (position < chunk.length) {
        if (payloadLeft > 0) {
          const end = Math.min(chunk.length, position + payloadLeft);
          append(chunk, position, end);
          payloadLeft -= end - position;
          position = end;
          continue;
        }
        if (chunk.length - position < HEADER_LENGTH) {
          partialHeader = Buffer.from(chunk.subarray(position));
          return;
        }
        const type = chunk[position];
        const length = chunk.readUInt32BE(position + 1);
        if (type === COPY_DATA) {
          payloadLeft = length - 4;
          position += HEADER_LENGTH;
          continue;
        }
        const end = position + 1 + length;
        if (type === COPY_OUT_RESPONSE || (type !== undefined && ASYNCHRONOUS.has(type))) {
          if (end > chunk.length) {
            partialHeader = Buffer.from(chunk.subarray(position));
            return;
          }
          if (type !== COPY_OUT_RESPONSE) tap?.toDriver(chunk.subarray(position, end));
          position = end;
          continue;
        }
        // CopyDone, an error, or the end of the query: the driver's own parser reads on from this message.
        if (used > 0) handOver(block.subarray(0, used));
        used = 0;
        tap?.release();
        tap?.toDriver(chunk.subarray(position));
        return;
      }
      if (waiting.length > 0) connection?.stream.pause();
    };

    const submittable = {
      submit(target: PgConnection): null {
        connection = target;
        tap = tapBytes(target.stream, onData);
        target.query(sql);
        return null;
      },
      handleCommandComplete(message: { text: string }): void {
        rows = Number(/^COPY (\d+)/.exec(message.text)?.[1] ?? 0);
      },
      handleError(error: Error): void {
        failure ??= error;
        tap?.release();
        Promise.resolve(consuming).then(settle);
      },
      handleReadyForQuery(): void {
        tap?.release();
        Promise.resolve(consuming).then(settle);
      },
    };
    if (signal.aborted) {
      reject(signal.reason);
      return;
    }
    client.on('end', onEnd);
    client.on('error', onError);
    signal.addEventListener('abort', onAbort);
    client.query(submittable as unknown as pg.Submittable);
  });
}
