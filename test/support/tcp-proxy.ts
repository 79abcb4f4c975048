import { connect as connectSocket, createServer, type Socket } from 'node:net';

/** What a network may do to bytes. */
export interface Weather {
  /** Bytes a second in each direction of each connection. */
  bytesPerSecond?: number;
  /** Nothing passes, and nobody is told: `existing` connections only, or `all` and new ones, too. */
  silent?: 'existing' | 'all';
}

export interface TcpProxy {
  port: number;
  /** How many connections have been made through it. */
  readonly connections: number;
  /** Bytes that came from the far side. */
  readonly received: number;
  set(weather: Weather): void;
  /** Closes what is open, in the middle of whatever it does; new connections pass. */
  cut(): void;
  close(): Promise<void>;
}

/** A network of a test's own on loopback, between a client and a server that listens on `port`. */
export async function startTcpProxy(port: number): Promise<TcpProxy> {
  let weather: Weather = {};
  const open = new Set<{ pair: readonly Socket[]; lost: boolean }>();
  const counts = { connections: 0, received: 0 };

  const server = createServer((near) => {
    const far = connectSocket(port, '127.0.0.1');
    const connection = { pair: [near, far] as const, lost: false };
    counts.connections += 1;
    open.add(connection);
    const forward = (from: Socket, to: Socket, count: (bytes: number) => void): void => {
      from.on('data', (bytes: Buffer) => {
        // What is lost is read nevertheless: the sender's system believes it sent, as it would before it gives up.
        if (connection.lost || weather.silent === 'all') return;
        count(bytes.length);
        const pace = weather.bytesPerSecond ? (bytes.length * 1000) / weather.bytesPerSecond : 0;
        const taken = to.write(bytes);
        if (taken && pace === 0) return;
        from.pause();
        if (!taken) to.once('drain', () => setTimeout(() => from.resume(), pace));
        else setTimeout(() => from.resume(), pace);
      });
      // A goodbye is lost like anything else.
      from.on('close', () => {
        if (!connection.lost && weather.silent !== 'all') to.destroy();
      });
      from.on('error', () => undefined);
    };
    forward(near, far, () => undefined);
    forward(far, near, (bytes) => {
      counts.received += bytes;
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

  const destroyAll = (): void => {
    for (const { pair } of open) for (const socket of pair) socket.destroy();
    open.clear();
  };
  return {
    port: (server.address() as { port: number }).port,
    get connections() {
      return counts.connections;
    },
    get received() {
      return counts.received;
    },
    set(next) {
      weather = next;
      if (next.silent) for (const connection of open) connection.lost = true;
    },
    cut: destroyAll,
    async close() {
      destroyAll();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
