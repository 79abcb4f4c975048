import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { Permissions } from '../../iam/access.ts';
import type { StateDisk } from '../../state-disk.ts';
import type { Fault } from '../faults.ts';
import type { WorkerReply, WorkerRequest } from './worker.ts';

type Command = WorkerRequest extends infer Request
  ? Request extends { id: number }
    ? Omit<Request, 'id'>
    : never
  : never;

export type LocalS3 = {
  url: string;
  port: number;
  addFault(fault: Fault): Promise<void>;
  clearFaults(): Promise<void>;
  /** What some callers may do. */
  setPermissions(permissions: Permissions): Promise<void>;
  close(): Promise<void>;
};

/** Starts S3 in a thread of its own, so that gigabytes passing through it do not hold up the other endpoints. */
export async function startS3({
  folder,
  port,
  disk,
}: {
  folder: string;
  port: number;
  disk: StateDisk;
}): Promise<LocalS3> {
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: { folder, port } });
  const [first] = (await once(worker, 'message')) as [WorkerReply];
  if (first.type !== 'listening') throw new Error('The local S3 thread did not start');

  const waiting = new Map<number, () => void>();
  let lastId = 0;
  worker.on('message', (reply: WorkerReply) => {
    if (reply.type === 'done') waiting.get(reply.id)?.();
    if (reply.type === 'failed') disk.report(Object.assign(new Error(reply.message), { code: reply.code }));
  });
  const ask = (command: Command) =>
    new Promise<void>((resolve) => {
      lastId += 1;
      waiting.set(lastId, resolve);
      worker.postMessage({ ...command, id: lastId });
    });

  return {
    url: first.url,
    port: first.port,
    addFault: (fault) => ask({ type: 'add fault', fault }),
    clearFaults: () => ask({ type: 'clear faults' }),
    setPermissions: (permissions) => ask({ type: 'set permissions', permissions }),
    close: async () => {
      const ended = once(worker, 'exit');
      await ask({ type: 'close' });
      await ended;
    },
  };
}
