/** Message types of the frontend/backend protocol that appear while a slot is streamed. */
const COPY_DATA = 0x64; // 'd'
const COPY_BOTH_RESPONSE = 0x57; // 'W'
const ASYNCHRONOUS = new Set([0x4e, 0x53, 0x41]); // NoticeResponse, ParameterStatus, NotificationResponse
const HEADER_LENGTH = 5;

/** What CopyData holds, by its first byte, and how long its head is: that byte and the numbers. */
const XLOG_DATA = 0x77; // 'w': start, end, clock
const XLOG_DATA_HEAD = 25;
const KEEPALIVE = 0x6b; // 'k': end, clock, whether a reply is wanted
const KEEPALIVE_HEAD = 18;

const STATUS_UPDATE = 0x72; // 'r': written, flushed, applied, clock, whether a reply is wanted
const STATUS_UPDATE_LENGTH = 34;

/** Hears of messages in their order. What answers whether to go on ends the reading by `false`. */
export interface ReplicationHandlers {
  onStart(): void;
  /** A change begins, written at the position that has these upper and lower 32 bits. */
  onChange(upper: number, lower: number): void;
  /** A part of the change's text; the bytes are valid during the call only. */
  onText(chunk: Buffer, from: number, to: number): void;
  onChangeEnd(): boolean;
  /** All that was written up to this position has been sent. */
  onKeepalive(position: bigint, wantsReply: boolean): boolean;
  /** A message that belongs to the session, not to the stream. */
  onSessionMessage(bytes: Buffer): void;
  /** The stream is over: the rest belongs to the session. */
  onOver(bytes: Buffer): void;
}

/**
 * Reads the server's side of a logical replication stream (PostgreSQL's manual, "Streaming Replication Protocol"), without ever
 * holding a change: one may have a gigabyte.
 *
 * @returns takes the next bytes, which may begin and end anywhere
 */
export function replicationReader(handlers: ReplicationHandlers): (received: Buffer) => void {
  let left = 0;
  let carried: Buffer | undefined;
  let over = false;

  /** Reads a message that begins at `at`. Answers where the next begins, or null where more bytes are needed. */
  const readMessage = (chunk: Buffer, at: number): number | null => {
    if (chunk.length - at <= HEADER_LENGTH) return null;
    const type = chunk[at] as number;
    const end = at + 1 + chunk.readUInt32BE(at + 1);
    const head = at + HEADER_LENGTH;
    if (type === COPY_DATA && chunk[head] === XLOG_DATA) {
      if (chunk.length < head + XLOG_DATA_HEAD) return null;
      handlers.onChange(chunk.readUInt32BE(head + 1), chunk.readUInt32BE(head + 5));
      left = end - head - XLOG_DATA_HEAD;
      return head + XLOG_DATA_HEAD;
    }
    const isOfStream = type === COPY_DATA || type === COPY_BOTH_RESPONSE;
    if (!isOfStream && !ASYNCHRONOUS.has(type)) {
      over = true;
      handlers.onOver(chunk.subarray(at));
      return chunk.length;
    }
    if (chunk.length < end) return null;
    if (type === COPY_BOTH_RESPONSE) handlers.onStart();
    else if (!isOfStream) handlers.onSessionMessage(chunk.subarray(at, end));
    else if (chunk[head] === KEEPALIVE && end - head >= KEEPALIVE_HEAD) {
      over = !handlers.onKeepalive(chunk.readBigUInt64BE(head + 1), chunk[head + KEEPALIVE_HEAD - 1] === 1);
    }
    return end;
  };

  return (received) => {
    const chunk = carried ? Buffer.concat([carried, received]) : received;
    carried = undefined;
    let at = 0;
    while (!over && at < chunk.length) {
      if (left > 0) {
        const end = Math.min(chunk.length, at + left);
        handlers.onText(chunk, at, end);
        left -= end - at;
        at = end;
        if (left === 0) over = !handlers.onChangeEnd();
        continue;
      }
      const next = readMessage(chunk, at);
      if (next === null) {
        carried = Buffer.from(chunk.subarray(at));
        return;
      }
      at = next;
    }
  };
}

/**
 * Tells the server that its client is there, and nothing else: with positions of 0, which are none, the slot stays where it is.
 *
 * @param wantsReply - whether the server is to say how far it is
 */
export function statusUpdate(wantsReply: boolean): Buffer {
  const message = Buffer.alloc(STATUS_UPDATE_LENGTH);
  message[0] = STATUS_UPDATE;
  message[STATUS_UPDATE_LENGTH - 1] = wantsReply ? 1 : 0;
  return message;
}
