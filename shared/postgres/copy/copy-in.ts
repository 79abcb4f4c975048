import type { Socket } from 'node:net';
import type pg from 'pg';
import { noteSourceIsDue } from '../watch-session.ts';

const COPY_DATA = 0x64; // 'd'
const HEADER_LENGTH = 5;

interface PgConnection {
  stream: Socket;
  query(text: string): void;
  endCopyFrom(): void;
  sendCopyFail(message: string): void;
}

/**
 * Runs `COPY ... FROM STDIN` and feeds it with blocks of COPY text; a block may end anywhere within a row.
 *
 * A failing source ends the COPY with CopyFail: the server then keeps nothing of it and the connection stays usable.
 *
 * @param client - a connection nobody else uses meanwhile
 * @param sql - the COPY statement
 * @param source - a block is sent when the next one is asked for, and its memory may be used again
 * @param signal - ends the copy at once by closing the connection, so that the server stops as well
 * @returns the number of rows, as the server counted them
 * @throws the source's, the server's or the connection's error
 */
export function copyIn(
  client: pg.Client,
  sql: string,
  source: AsyncIterable<Buffer>,
  signal: AbortSignal,
): Promise<number> {
  return new Promise((resolve, reject) => {
    let rows = 0;
    let failure: unknown;
    let refused = false;
    let settled = false;
    let feeding: Promise<void> | undefined;
    let stream: Socket | undefined;

    const settle = (): void => {
      if (settled) return;
      settled = true;
      client.off('end', onEnd);
      signal.removeEventListener('abort', onAbort);
      if (failure === undefined) resolve(rows);
      else reject(failure);
    };
    const onEnd = (): void => {
      refused = true;
      failure ??= new Error('Connection terminated unexpectedly');
      settle();
    };

    const onAbort = (): void => {
      refused = true;
      failure ??= signal.reason;
      stream?.destroy();
    };

    const feed = async (connection: PgConnection): Promise<void> => {
      const socket = connection.stream;
      try {
        noteSourceIsDue(socket, true);
        for await (const block of source) {
          noteSourceIsDue(socket, false);
          if (refused) break;
          if (block.length > 0) await send(socket, block);
          noteSourceIsDue(socket, true);
        }
        noteSourceIsDue(socket, false);
        if (!refused) connection.endCopyFrom();
      } catch (error) {
        noteSourceIsDue(socket, false);
        failure ??= error;
        if (!refused) connection.sendCopyFail('the source of the data failed');
      }
    };

    const submittable = {
      submit(connection: PgConnection): null {
        stream = connection.stream;
        connection.query(sql);
        return null;
      },
      handleCopyInResponse(connection: PgConnection): void {
        feeding = feed(connection);
      },
      handleCommandComplete(message: { text: string }): void {
        rows = Number(/^COPY (\d+)/.exec(message.text)?.[1] ?? 0);
      },
      handleError(error: Error): void {
        // The error that CopyFail provokes only repeats the source's.
        refused = true;
        failure ??= error;
        Promise.resolve(feeding).then(settle);
      },
      handleReadyForQuery(): void {
        Promise.resolve(feeding).then(settle);
      },
    };
    if (signal.aborted) {
      reject(signal.reason);
      return;
    }
    client.on('end', onEnd);
    signal.addEventListener('abort', onAbort);
    client.query(submittable as unknown as pg.Submittable);
  });
}

/** Settles when the operating system has taken the block, or the socket is closed. */
function send(socket: Socket, block: Buffer): Promise<void> {
  const header = Buffer.allocUnsafe(HEADER_LENGTH);
  header[0] = COPY_DATA;
  header.writeUInt32BE(block.length + 4, 1);
  return new Promise((resolve) => {
    const proceed = (): void => {
      socket.off('close', proceed);
      resolve();
    };
    socket.once('close', proceed);
    socket.cork();
    socket.write(header);
    socket.write(block, proceed);
    socket.uncork();
  });
}
