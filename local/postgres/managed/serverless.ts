import { once } from 'node:events';
import { createServer, connect as dial, type Socket } from 'node:net';

/** What stands before an instance of Aurora Serverless v2 whose minimum is 0 ACU. */
export type ServerlessFront = {
  readonly host: string;
  readonly port: number;
  readonly state: () => 'running' | 'paused' | 'resuming';
  /** How often it has paused so far. */
  readonly pauses: () => number;
  readonly close: () => Promise<void>;
};

/**
 * Opens a front that pauses after a time without connections, and lets the next connection wait until it has resumed. The server behind
 * goes on: what shows is that a pause needs silence, and that the first connection after it takes long.
 *
 * @param pauseAfterMs - SecondsUntilAutoPause; AWS takes 300 seconds at least
 * @param resumeMs - how long a resume takes; at AWS some 15 seconds, and more after a day
 */
export async function openServerlessFront(
  server: { host: string; port: number },
  { pauseAfterMs, resumeMs }: { pauseAfterMs: number; resumeMs: number },
): Promise<ServerlessFront> {
  let state: 'running' | 'paused' | 'resuming' = 'running';
  let pauses = 0;
  let idle: NodeJS.Timeout | null = null;
  let resumed: Promise<void> = Promise.resolve();
  const timers = new Set<NodeJS.Timeout>();
  const open = new Set<Socket>();

  const restWhenIdle = (): void => {
    if (open.size > 0 || state !== 'running') return;
    idle = setTimeout(() => {
      state = 'paused';
      pauses += 1;
    }, pauseAfterMs);
  };
  const resume = (): Promise<void> => {
    if (state === 'paused') {
      state = 'resuming';
      resumed = new Promise((done) => {
        const timer = setTimeout(() => {
          timers.delete(timer);
          state = 'running';
          done();
        }, resumeMs);
        timers.add(timer);
      });
    }
    return resumed;
  };
  const front = createServer({ allowHalfOpen: false }, (client) => {
    if (idle) clearTimeout(idle);
    open.add(client);
    client.on('error', () => undefined);
    client.once('close', () => {
      open.delete(client);
      restWhenIdle();
    });
    client.pause();
    void resume().then(() => {
      if (client.destroyed) return;
      const behind = dial(server.port, server.host);
      behind.on('error', () => client.destroy());
      behind.once('close', () => client.destroy());
      client.once('close', () => behind.destroy());
      client.pipe(behind);
      behind.pipe(client);
    });
  });
  front.listen(0, '127.0.0.1');
  await once(front, 'listening');
  restWhenIdle();
  const address = front.address();
  if (address === null || typeof address === 'string')
    throw new Error('The front of the serverless instance has no port');
  return {
    host: '127.0.0.1',
    port: address.port,
    state: () => state,
    pauses: () => pauses,
    async close() {
      if (idle) clearTimeout(idle);
      for (const timer of timers) clearTimeout(timer);
      for (const client of open) client.destroy();
      if (idle) clearTimeout(idle);
      front.close();
      await once(front, 'close');
      if (idle) clearTimeout(idle);
    },
  };
}
