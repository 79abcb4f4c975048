import { GetObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import type { ObjectStore } from '../../../shared/backup/objects/object-store.ts';

export interface WatchedStore {
  store: ObjectStore;
  /** Paths of the chunks that were asked for, in that order. */
  chunks(): string[];
}

/**
 * The same store, which knows what is read.
 *
 * @param before - awaited before a chunk is asked for
 */
export function watchedStore(store: ObjectStore, before?: (path: string) => Promise<void>): WatchedStore {
  const read: string[] = [];
  const send = async (command: unknown, ...rest: unknown[]) => {
    const path = command instanceof GetObjectCommand ? command.input.Key?.replace(/^.*?\/(?=data\/)/, '') : undefined;
    if (path?.startsWith('data/')) {
      await before?.(path);
      read.push(path);
    }
    return (store.s3.send as (...all: unknown[]) => unknown)(command, ...rest);
  };
  const s3 = new Proxy(store.s3, {
    get: (client, name) => (name === 'send' ? send : Reflect.get(client, name)),
  }) as S3Client;
  return { store: { ...store, s3 }, chunks: () => [...read] };
}
