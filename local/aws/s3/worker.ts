import { parentPort, workerData } from 'node:worker_threads';
import { createAccess, type Permissions } from '../../iam/access.ts';
import { createFaultList, type Fault } from '../faults.ts';
import { listen } from '../http.ts';
import { withReplication } from './replication.ts';
import { serveS3 } from './server.ts';
import { openStore } from './store.ts';

/** What the starting thread asks of the worker; every message is answered with its `id`. */
export type WorkerRequest = { id: number } & (
  | { type: 'add fault'; fault: Fault }
  | { type: 'clear faults' }
  | { type: 'set permissions'; permissions: Permissions }
  | { type: 'close' }
);
export type WorkerReply =
  | { type: 'listening'; url: string; port: number }
  | { type: 'done'; id: number }
  /** A call failed for a reason of this machine. */
  | { type: 'failed'; message: string; code: string | undefined };

const { folder, port } = workerData as { folder: string; port: number };
const faults = createFaultList();
const access = createAccess();
const failed = ({ message, code }: NodeJS.ErrnoException) => reply({ type: 'failed', message, code });
const store = withReplication(await openStore(folder));
const server = await listen(port, serveS3(store, faults, failed, access));

function reply(message: WorkerReply): void {
  parentPort?.postMessage(message);
}

parentPort?.on('message', async (request: WorkerRequest) => {
  if (request.type === 'add fault') faults.add(request.fault);
  else if (request.type === 'clear faults') faults.clear();
  else if (request.type === 'set permissions') access.set(request.permissions);
  else await server.close();
  reply({ type: 'done', id: request.id });
  if (request.type === 'close') parentPort?.close();
});

reply({ type: 'listening', url: server.url, port: server.port });
