import { createServer, connect as dial, type Socket } from 'node:net';
import { setTimeout } from 'node:timers/promises';

export interface SlowProxy {
  host: string;
  port: number;
  /** Another pace from now on, of connections that are open as well. */
  setPace(bytesPerSecond: number): void;
  /** Ends every connection and stops. */
  close(): Promise<void>;
}

const SLICE_MS = 50;

/**
 * A way to a server on which each connection gets so many bytes a second from it: a slow network.
 *
 * @param bothWays - what is sent to the server is as slow; by default as fast as it goes
 */
export async function startSlowProxy(
  server: { host: string; port: number },
  bytesPerSecond: number,
  bothWays = false,
): Promise<SlowProxy> {
  let pace = bytesPerSecond;
  const sockets = new Set<Socket>();
  const keep = (socket: Socket): Socket => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => sockets.delete(socket));
    return socket;
  };
  const slice = () => Math.max(1, Math.floor((pace * SLICE_MS) / 1000));
  const listener = createServer({ noDelay: true }, (client) => {
    const upstream = dial({ ...server, noDelay: true });
    for (const socket of [client, upstream]) keep(socket);
    if (bothWays) void slowly(client, upstream, slice);
    else client.pipe(upstream);
    client.once('close', () => upstream.destroy());
    upstream.once('close', () => client.destroySoon());
    void slowly(upstream, client, slice);
  });
  await new Promise<void>((ready) => listener.listen(0, '127.0.0.1', ready));
  const { port } = listener.address() as { port: number };
  return {
    host: '127.0.0.1',
    port,
    setPace: (bytes) => {
      pace = bytes;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((closed) => listener.close(closed));
    },
  };
}

/** Passes on what comes; large pieces in slices with pauses between them. */
async function slowly(from: Socket, to: Socket, slice: () => number): Promise<void> {
  try {
    for await (const received of from as AsyncIterable<Buffer>) {
      for (let start = 0; start < received.length; ) {
        const length = slice();
        const part = received.subarray(start, start + length);
        start += length;
        if (!to.write(part)) await new Promise<void>((room) => to.once('drain', room).once('close', room));
        if (part.length === length) await setTimeout(SLICE_MS);
        if (to.destroyed) return;
      }
    }
    to.end();
  } catch {
    to.destroy();
  }
}
