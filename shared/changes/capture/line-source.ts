import type pg from 'pg';
import type { ConnectionTarget } from '../../postgres/connect.ts';
import { copyOut } from '../../postgres/copy/copy-out.ts';
import { quoteLiteral } from '../../postgres/identifiers.ts';
import type { Lsn } from '../lsn.ts';
import { openCaptureSession, untilSlotIsFree } from './session.ts';
import { logToDecodeSql, peekSql } from './slot.sql.ts';
import { streamLines } from './stream-lines.ts';

/** What is read of a slot. */
export interface LinesRequest {
  slot: string;
  encoding: string;
  /** The slot's position. */
  from: Lsn;
  /** Decoding ends with the record that ends here, or soon after. */
  upto: Lsn;
  /** Decoding ends with the transaction that has this line; null for no limit. */
  mostLines: number | null;
}

/** Gives lines of a slot in blocks, each a position, a tab and what the plugin says, in COPY's text. The slot is not moved. */
export type LineSource = (
  request: LinesRequest,
  consume: (block: Buffer) => Promise<void>,
  signal: AbortSignal,
) => Promise<void>;

/** Reads by the SQL function, which has the server hold all that it gives, on disk where it is much. */
const peekLines =
  (client: pg.Client): LineSource =>
  async ({ slot, encoding, upto, mostLines }, consume, signal) => {
    const peek = peekSql(quoteLiteral(slot), quoteLiteral(upto), mostLines === null ? 'NULL' : String(mostLines));
    await copyOut(client, `COPY (${peek}) TO STDOUT (ENCODING ${quoteLiteral(encoding)})`, consume, { signal });
  };

/** What a log says where lines cannot be streamed. */
export const STREAM_REFUSED = 'Changes cannot be streamed, so the server holds what it decodes';

export interface LineSourceOptions {
  target: ConnectionTarget;
  /** With more log to decode than this, changes are streamed: a transaction cannot be larger than the log that it is in. */
  streamAfterBytes: number;
  /** Told once, when the server or a proxy before it refuses to stream. */
  onStreamRefused: (cause: Error) => void;
}

/**
 * Reads by the SQL function where there is little log, as it costs no connection, and over the replication protocol where there is
 * much; where that is refused, by the function all the same.
 *
 * @param client - the session that the slot belongs to; the stream has one of its own, and is over when the source settles
 */
export function openLineSource(
  client: pg.Client,
  { target, streamAfterBytes, onStreamRefused }: LineSourceOptions,
): LineSource {
  const peek = peekLines(client);
  let refused = false;

  return async (request, consume, signal) => {
    const { rows } = await client.query<{ bytes: number }>(logToDecodeSql, [request.slot, request.upto]);
    if (refused || (rows[0]?.bytes ?? 0) <= streamAfterBytes) return await peek(request, consume, signal);
    let started = false;
    const onStart = (): void => {
      started = true;
    };
    try {
      const session = await openCaptureSession(target, { replication: true });
      await streamLines(session, request, consume, { signal, onStart });
    } catch (error) {
      if (started || signal.aborted || isSlotInUse(error) || !(error instanceof Error)) throw error;
      refused = true;
      onStreamRefused(error);
    } finally {
      await untilSlotIsFree(client, request.slot).catch(() => undefined);
    }
    if (refused) await peek(request, consume, signal);
  };
}

/** object_in_use: another session reads the slot, perhaps one whose client is gone. */
export function isSlotInUse(error: unknown): boolean {
  return (error as { code?: string }).code === '55006';
}
