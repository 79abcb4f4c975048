import type { Socket } from 'node:net';

/** Parameters that a server reports when a session begins, as libpq expects them. */
export type SessionParameters = Readonly<Record<string, string>>;

/**
 * Lets a program that speaks the frontend/backend protocol use a session that is logged in already.
 *
 * The program's own start-up is answered here, from the session's parameters; it never learns the password. Everything
 * after it goes to the server as it is, and the server's reply comes back once it is whole (it ends in ReadyForQuery).
 *
 * Protocol: PostgreSQL documentation, "Message Formats".
 */
export interface WireBridge {
  /** Takes what the program wrote; answers with what it may read before it writes again. Empty when the server is gone. */
  exchange(written: Uint8Array): Promise<Uint8Array>;
  /** Whether the server owes the program a reply. */
  isWaiting(): boolean;
}

const SSL_REQUEST = 80_877_103;
const GSS_REQUEST = 80_877_104;
const QUERY = 0x51; // 'Q'
const SYNC = 0x53; // 'S'
const TERMINATE = 0x58; // 'X'
const READY_FOR_QUERY = 0x5a; // 'Z'
const NOTHING = new Uint8Array();

/** @param socket - of a session at rest; the bridge is the only one to read and write it from now on */
export function wireBridge(socket: Socket, parameters: SessionParameters): WireBridge {
  let started = false;
  /** Bytes of a message that the program has not written to its end. */
  let unfinished: Buffer = Buffer.alloc(0);
  let awaited = 0;
  let reply: Buffer[] = [];
  let partial: Buffer = Buffer.alloc(0);
  let bodyLeft = 0;
  let answer: ((bytes: Uint8Array) => void) | undefined;
  let closed = socket.destroyed;

  const finish = (): void => {
    if (!answer || (awaited > 0 && !closed)) return;
    const whole = reply.length === 0 ? NOTHING : new Uint8Array(Buffer.concat(reply));
    reply = [];
    answer(whole);
    answer = undefined;
  };
  /** Walks over the headers of the server's messages to count the ReadyForQuery among them. */
  const count = (chunk: Buffer): void => {
    let position = 0;
    while (position < chunk.length) {
      if (bodyLeft > 0) {
        const step = Math.min(bodyLeft, chunk.length - position);
        bodyLeft -= step;
        position += step;
      } else {
        const header = Buffer.concat([partial, chunk.subarray(position, position + 5 - partial.length)]);
        position += header.length - partial.length;
        partial = header;
        if (header.length < 5) return;
        partial = Buffer.alloc(0);
        bodyLeft = header.readUInt32BE(1) - 4;
        if (header[0] === READY_FOR_QUERY) awaited -= 1;
      }
    }
  };
  socket.on('data', (chunk: Buffer) => {
    reply.push(chunk);
    count(chunk);
    if (bodyLeft === 0 && partial.length === 0) finish();
  });
  socket.once('close', () => {
    closed = true;
    finish();
  });

  /** Takes whole messages off the front of what was written; the start-up alone has no type byte. */
  const nextMessage = (): Buffer | undefined => {
    const lengthAt = started ? 1 : 0;
    if (unfinished.length < lengthAt + 4) return undefined;
    const end = lengthAt + unfinished.readUInt32BE(lengthAt);
    if (unfinished.length < end) return undefined;
    const message = unfinished.subarray(0, end);
    unfinished = unfinished.subarray(end);
    return message;
  };
  const startUp = (message: Buffer): void => {
    const code = message.readUInt32BE(4);
    if (code === SSL_REQUEST || code === GSS_REQUEST) {
      reply.push(Buffer.from('N'));
      return;
    }
    started = true;
    reply.push(greeting(parameters));
  };

  return {
    isWaiting: () => awaited > 0,
    exchange(written) {
      return new Promise((resolve) => {
        answer = resolve;
        unfinished = Buffer.concat([unfinished, written]);
        for (let message = nextMessage(); message; message = nextMessage()) {
          if (!started) startUp(message);
          else if (message[0] !== TERMINATE && !closed) {
            if (message[0] === QUERY || message[0] === SYNC) awaited += 1;
            socket.write(message);
          }
        }
        finish();
      });
    },
  };
}

function greeting(parameters: SessionParameters): Buffer {
  const integers = (...values: number[]): Buffer => {
    const bytes = Buffer.alloc(values.length * 4);
    for (const [index, value] of values.entries()) bytes.writeInt32BE(value, index * 4);
    return bytes;
  };
  const message = (type: string, body: Buffer): Buffer =>
    Buffer.concat([Buffer.from(type), integers(body.length + 4), body]);
  return Buffer.concat([
    message('R', integers(0)),
    ...Object.entries(parameters).map(([name, value]) => message('S', Buffer.from(`${name}\0${value}\0`))),
    message('K', integers(0, 0)),
    message('Z', Buffer.from('I')),
  ]);
}
