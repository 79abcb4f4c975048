import { once } from 'node:events';
import type { Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import type pg from 'pg';
import { type ByteTap, tapBytes } from '../../postgres/copy/byte-tap.ts';
import { halvesToLsn, type Lsn, lsnToBytes } from '../lsn.ts';
import { copyTextWriter } from './copy-text.ts';
import type { LinesRequest } from './line-source.ts';
import { replicationReader, statusUpdate } from './replication-messages.ts';
import { startReplicationSql } from './slot.sql.ts';

/** Blocks of lines that wait for a consumer that is slow, before the server is held back. */
const WAITING_BLOCKS = 4;

/** How often the server hears that its client is there, and is asked how far it is, in milliseconds. */
const STATUS_MS = 1000;

/** How long a stream that is not held back may bring nothing new before it is given up, in milliseconds. */
const STANDSTILL_MS = 120_000;

/** How long the server may take to answer a goodbye; in the midst of a transaction it may not read it. */
const GOODBYE_MS = 500;

interface PgConnection {
  stream: Socket;
  query(text: string): void;
  sendCopyFromChunk(chunk: Buffer): void;
  end(): void;
}

/** First bytes of the lines that begin and end a transaction. */
const BEGIN = 0x42;
const COMMIT = 0x43;

/**
 * Gives what a slot has, line by line as COPY writes what the SQL function gives, but sent by the server as it decodes: neither side
 * holds a transaction. Ends with a commit at the request's bounds, or where the server has come to them. The slot is not moved.
 *
 * @param client - a session that speaks the replication protocol; it is ended, as a stream cannot be taken back
 * @param onStart - told when the server has agreed to stream; what fails before has read nothing
 * @throws the server's or the connection's error, the consumer's, or the signal's reason
 */
export async function streamLines(
  client: pg.Client,
  { slot, from, upto, mostLines }: LinesRequest,
  consume: (block: Buffer) => Promise<void>,
  { signal, onStart }: { signal: AbortSignal; onStart: () => void },
): Promise<void> {
  const { connection } = client as unknown as { connection: PgConnection };
  const until = lsnToBytes(upto);
  const blocks = new PassThrough({ objectMode: true, highWaterMark: WAITING_BLOCKS });
  const writer = copyTextWriter((block) => blocks.write(block));
  let tap: ByteTap | undefined;
  let started = false;
  let lines = 0;
  let lsn: Lsn = from;
  let position = 0n;
  let kind = 0;
  let inTransaction = false;
  let stoodStillMs = 0;

  const finish = (): false => {
    writer.flush();
    blocks.end();
    return false;
  };
  /** What was read to its end no longer needs the connection. */
  const fail = (error: Error): void => {
    if (!blocks.writableEnded) blocks.destroy(error);
  };
  const read = replicationReader({
    onStart: () => {
      started = true;
      onStart();
    },
    onChange: (upper, lower) => {
      lsn = halvesToLsn(upper, lower);
      kind = 0;
      writer.plain(`${lsn}\t`);
    },
    onText: (chunk, start, end) => {
      stoodStillMs = 0;
      if (kind === 0) kind = chunk[start] as number;
      writer.escaped(chunk, start, end);
    },
    onChangeEnd: () => {
      writer.endLine();
      lines += 1;
      if (kind === BEGIN) inTransaction = true;
      if (kind !== COMMIT) return true;
      inTransaction = false;
      return lsnToBytes(lsn) < until && (mostLines === null || lines < mostLines) ? true : finish();
    },
    onKeepalive: (at, wantsReply) => {
      if (wantsReply) connection.sendCopyFromChunk(statusUpdate(false));
      if (at > position) {
        position = at;
        stoodStillMs = 0;
      }
      // In the midst of a transaction it tells how far the server had come before.
      return inTransaction || at < until ? true : finish();
    },
    onSessionMessage: (bytes) => tap?.toDriver(bytes),
    onOver: (bytes) => {
      tap?.release();
      tap?.toDriver(bytes);
    },
  });
  const onData = (received: Buffer): void => {
    if (blocks.writableEnded || blocks.destroyed) return;
    read(received);
    if (blocks.writableNeedDrain) connection.stream.pause();
  };
  const onEnd = (): void => fail(new Error('Connection terminated: the server ended the stream'));
  const onAbort = (): void => void blocks.destroy(signal.reason);
  blocks.on('drain', () => connection.stream.resume());
  const timer = setInterval(() => {
    if (started) connection.sendCopyFromChunk(statusUpdate(true));
    stoodStillMs = blocks.writableNeedDrain ? 0 : stoodStillMs + STATUS_MS;
    if (stoodStillMs < STANDSTILL_MS) return;
    fail(new Error(`Connection terminated: the stream stood still for ${STANDSTILL_MS / 1000} s`));
  }, STATUS_MS);

  const submittable = {
    submit(target: PgConnection): null {
      tap = tapBytes(target.stream, onData);
      target.query(startReplicationSql(slot, from));
      return null;
    },
    handleError: fail,
    handleCommandComplete: () => undefined,
    handleReadyForQuery: onEnd,
  };
  client.on('end', onEnd);
  signal.addEventListener('abort', onAbort);
  try {
    signal.throwIfAborted();
    client.query(submittable as unknown as pg.Submittable);
    for await (const block of blocks) await consume(block as Buffer);
  } finally {
    clearInterval(timer);
    client.off('end', onEnd);
    signal.removeEventListener('abort', onAbort);
    await leave(client, connection);
  }
}

/** Says goodbye, which the server's log would miss otherwise, and takes what it still sends off the connection. */
async function leave(client: pg.Client, connection: PgConnection): Promise<void> {
  const { stream } = connection;
  if (!stream.destroyed) {
    const closed = once(stream, 'close').catch(() => undefined);
    connection.end();
    stream.resume();
    const waited = new AbortController();
    await Promise.race([closed, setTimeout(GOODBYE_MS, undefined, { signal: waited.signal }).catch(() => undefined)]);
    waited.abort();
  }
  await client.end().catch(() => undefined);
}
