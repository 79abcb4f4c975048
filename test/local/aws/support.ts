import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { type LocalServices, startServices } from '../../../local/aws/services.ts';

/** What every client of the local endpoints is made with. */
export const clientOptions = (endpoint: string) => ({
  endpoint,
  region: 'us-east-1',
  credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  maxAttempts: 1,
});

/** Starts the services for a test file, in a folder that is removed at its end. */
export function useServices(): {
  readonly current: LocalServices;
  restart(): Promise<LocalServices>;
  stateFile(name: string): string;
} {
  let folder: string;
  let services: LocalServices;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'local-aws-'));
    services = await startServices({ stateFolder: folder });
  });
  afterAll(async () => {
    await services.close();
    await rm(folder, { recursive: true });
  });
  return {
    get current() {
      return services;
    },
    stateFile: (name) => join(folder, name),
    restart: async () => {
      await services.close();
      services = await startServices({ stateFolder: folder });
      return services;
    },
  };
}
