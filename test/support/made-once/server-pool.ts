import { managedProfile, startProfiledServer } from '../managed-profile.ts';
import { testBinaries } from '../postgres-binaries.ts';
import {
  makeServerTemplate,
  type RunningServer,
  type ServerTemplate,
  startServer,
  type TestServer,
} from '../postgres-server.ts';
import type { Source } from './broker.ts';

/** The servers of one worker. */
export interface WorkerServers {
  /** Those that tests are run against. */
  tested: TestServer[];
  /** Those and the others, for restores from one version to another. */
  all: TestServer[];
}

/**
 * Servers for each worker of its own: PostgreSQL 18 from npm, and each other version that is installed, or what `testBinaries`
 * was told. Files that run at the same time so share no roles, slots, settings or statistics; those of one worker come one after
 * another, and go on with its servers.
 */
export function serverPool(): Source {
  const workers = new Map<string, Promise<WorkerServers>>();
  const started: Promise<Pick<RunningServer, 'server' | 'stop'>>[] = [];
  let templates: Promise<{ made: Promise<ServerTemplate>[]; tested: number }> | undefined;

  async function makeTemplates() {
    const { tested, others } = await testBinaries();
    return { made: [...tested, ...others].map(makeServerTemplate), tested: tested.length };
  }

  async function start(): Promise<WorkerServers> {
    templates ??= makeTemplates();
    const { made, tested } = await templates;
    const kind = managedProfile();
    const starting = made.map(async (making) => {
      const template = await making;
      if (kind !== null) return await startProfiledServer(kind, template.binaries);
      return await startServer(template.binaries, {}, template);
    });
    started.push(...starting);
    const all = (await Promise.all(starting)).map(({ server }) => server);
    return { tested: all.slice(0, tested), all };
  }

  return {
    get(worker) {
      const servers = workers.get(worker) ?? start();
      workers.set(worker, servers);
      return servers;
    },
    async stop() {
      await Promise.all((await fulfilled(started)).map((server) => server.stop()));
      const { made } = (await templates?.catch(() => undefined)) ?? { made: [] };
      await Promise.all((await fulfilled(made)).map((template) => template.remove()));
    },
  };
}

async function fulfilled<Value>(promises: readonly Promise<Value>[]): Promise<Value[]> {
  return (await Promise.allSettled(promises)).flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
}
