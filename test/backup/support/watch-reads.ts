import type { IncomingMessage } from 'node:http';
import { S3Client } from '@aws-sdk/client-s3';
import type { ObjectStore } from '../../../shared/backup/objects/object-store.ts';
import { clientOptions } from '../../local/aws/support.ts';

export interface WatchedReads {
  store: ObjectStore;
  /** Keys of the objects that are asked for or being read, in that order; an answer is open until its stream is closed. */
  readonly open: readonly string[];
  /** What was open each time that one more came to it. */
  readonly openings: readonly (readonly string[])[];
  /** Called when an object is asked for. */
  onOpen: (key: string) => void;
}

/** A client of its own to `endpoint` that knows which objects it has open. */
export function watchReads(store: ObjectStore, endpoint: string): WatchedReads {
  const s3 = new S3Client(clientOptions(endpoint));
  const open: string[] = [];
  const openings: string[][] = [];
  const watched: WatchedReads = { store: { ...store, s3 }, open, openings, onOpen: () => undefined };
  s3.middlewareStack.add(
    (next, { commandName }) =>
      async (args) => {
        if (commandName !== 'GetObjectCommand') return next(args);
        const key = (args.input as { Key: string }).Key;
        const close = (): void => void open.splice(open.indexOf(key), 1);
        open.push(key);
        openings.push([...open]);
        watched.onOpen(key);
        try {
          const answer = await next(args);
          // Below what the client may wrap around it: the connection's own.
          (answer.response as { body: IncomingMessage }).body.once('close', close);
          return answer;
        } catch (error) {
          close();
          throw error;
        }
      },
    { step: 'deserialize', priority: 'low', name: 'watchReads' },
  );
  return watched;
}
