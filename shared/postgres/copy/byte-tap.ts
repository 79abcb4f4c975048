import { Socket } from 'node:net';

type Listener = (bytes: Buffer) => void;

/** Takes a connection's incoming bytes away from the driver until `release`. */
export interface ByteTap {
  /** Gives bytes to the driver's own parser, during the tap or, as its last act, at the end. */
  toDriver(bytes: Buffer): void;
  release(): void;
}

/** 256 KiB takes many of the server's 8 KiB sends in one read. */
const READ_BUFFER_BYTES = 262_144;

const taps = new WeakMap<Socket, { listener: Listener | undefined }>();

/**
 * A socket that reads into one buffer for its whole life. Node's default makes a new one for each read, and collecting them
 * costs a COPY about a third of its processor time. The driver gets copies, as it keeps what it is given.
 */
export function singleBufferSocket(): Socket {
  const tap: { listener: Listener | undefined } = { listener: undefined };
  const socket: Socket = new Socket({
    onread: {
      buffer: Buffer.allocUnsafeSlow(READ_BUFFER_BYTES),
      callback: (length: number, buffer: Uint8Array): boolean => {
        const bytes = Buffer.from(buffer.buffer, buffer.byteOffset, length);
        if (tap.listener) tap.listener(bytes);
        else socket.emit('data', Buffer.from(bytes));
        return true;
      },
    },
  } as ConstructorParameters<typeof Socket>[0]);
  taps.set(socket, tap);
  return socket;
}

/**
 * Sends a stream's incoming bytes to `listener` instead of the driver. The bytes are valid during the call only.
 *
 * @param stream - of a driver's connection: a {@link singleBufferSocket}, or any other, such as a TLS socket
 */
export function tapBytes(stream: Socket, listener: Listener): ByteTap {
  const tap = taps.get(stream);
  if (tap) {
    tap.listener = listener;
    return {
      toDriver: (bytes) => void stream.emit('data', Buffer.from(bytes)),
      release: () => {
        tap.listener = undefined;
      },
    };
  }
  const driver = stream.listeners('data') as Listener[];
  stream.removeAllListeners('data');
  stream.on('data', listener);
  let released = false;
  return {
    toDriver: (bytes) => {
      for (const each of driver) each(bytes);
    },
    release: () => {
      if (released) return;
      released = true;
      stream.off('data', listener);
      for (const each of driver) stream.on('data', each);
    },
  };
}
