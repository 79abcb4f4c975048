import { createServer, connect as dial, type Socket } from 'node:net';
import { setTimeout } from 'node:timers/promises';

export interface SlowProxy {
  host: string;
  port: number;
  /** Ends every connection and stops. */
  close(): Promise<void>;
}

const SLICE_MS = 50;

/**
 * A way to a server on which each connection gets so many bytes a second from it: a slow network.
 *
 * @param uploadBytesPerSecond - to the server; without it, as fast as it goes
 */
export async function startSlowProxy(
  server: { host: string; port: number },
  bytesPerSecond: number,
  uploadBytesPerSecond?: number,
): Promise<SlowProxy> {
  const sockets = new Set<Socket>();
  const keep = (socket: Socket): Socket => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => sockets.delete(socket));
    return socket;
  };
  const sliceOf = (bytes: number) => Math.max(1, Math.floor((bytes * SLICE_MS) / 1000));
  const listener = createServer({ noDelay: true }, (client) => {
    const upstream = dial({ ...server, noDelay: true });
    for (const socket of [client, upstream]) keep(socket);
    if (uploadBytesPerSecond === undefined) client.pipe(upstream);
    else void slowly(client, upstream, sliceOf(uploadBytesPerSecond));
    client.once('close', () => upstream.destroy());
    upstream.once('close', () => client.destroySoon());
    void slowly(upstream, client, sliceOf(bytesPerSecond));
  });
  await new Promise<void>((ready) => listener.listen(0, '127.0.0.1', ready));
  const { port } = listener.address() as { port: number };
  return {
    host: '127.0.0.1',
    port,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((closed) => listener.close(closed));
    },
  };
}

/** Passes on what comes; large pieces in slices with pauses between them. */
async function slowly(from: Socket, to: Socket, slice: number): Promise<void> {
  try {
    for await (const received of from as AsyncIterable<Buffer>) {
      for (let start = 0; start < received.length; start += slice) {
        const part = received.subarray(start, start + slice);
        if (!to.write(part)) await new Promise<void>((room) => to.once('drain', room).once('close', room));
        if (part.length === slice) await setTimeout(SLICE_MS);
        if (to.destroyed) return;
      }
    }
    to.end();
  } catch {
    to.destroy();
  }
}
