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

/** The servers of one test file. */
export interface FileServers {
  /** Those that tests are run against. */
  tested: TestServer[];
  /** Those and the others, for restores from one version to another. */
  all: TestServer[];
}

/** Servers, and the process that they were last given to. */
interface Lent {
  holder: number;
  servers: Promise<FileServers>;
}

/**
 * Servers for each file that runs: PostgreSQL 18 from npm, and each other version that is installed, or what `testBinaries` was told.
 * Files that run at the same time so share no roles, slots, settings or statistics; one that begins later goes on with the servers
 * of one that has ended. They are lent to a process, by its id, until it is gone: vitest gives the number of a worker
 * (`VITEST_POOL_ID`) to two files at a time where one group of projects follows another.
 */
export function serverPool(): Source {
  const lent: Lent[] = [];
  const started: Promise<Pick<RunningServer, 'server' | 'stop'>>[] = [];
  let templates: Promise<{ made: Promise<ServerTemplate>[]; tested: number }> | undefined;

  async function makeTemplates() {
    const { tested, others } = await testBinaries();
    return { made: [...tested, ...others].map(makeServerTemplate), tested: tested.length };
  }

  async function start(): Promise<FileServers> {
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
    get(processId) {
      const holder = Number(processId);
      const given = lent.find((each) => each.holder === holder) ?? lent.find((each) => !isRunning(each.holder));
      if (given) {
        given.holder = holder;
        return given.servers;
      }
      const servers = start();
      lent.push({ holder, servers });
      return servers;
    },
    async stop() {
      await Promise.all((await fulfilled(started)).map((server) => server.stop()));
      const { made } = (await templates?.catch(() => undefined)) ?? { made: [] };
      await Promise.all((await fulfilled(made)).map((template) => template.remove()));
    },
  };
}

function isRunning(processId: number): boolean {
  try {
    return process.kill(processId, 0);
  } catch {
    return false;
  }
}

async function fulfilled<Value>(promises: readonly Promise<Value>[]): Promise<Value[]> {
  return (await Promise.allSettled(promises)).flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
}
