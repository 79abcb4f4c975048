import type { TestProject } from 'vitest/node';
import { testBinaries } from './postgres-binaries.ts';
import { startServer, type TestServer } from './postgres-server.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Those that tests are run against. */
    servers: TestServer[];
    /** Those and the others, for restores from one version to another. */
    allServers: TestServer[];
  }
}

/** Each project loads this module for itself; what is started is shared through the process. */
interface SharedServers {
  users: number;
  running?: ReturnType<typeof startServers>;
}

const shared = globalThis as { testServers?: SharedServers };

/**
 * Starts the servers of the database tests, once for all projects: PostgreSQL 18 from npm, and each other version that is
 * installed on the machine, or what {@link testBinaries} was told. Tests read them with `inject('servers')`.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  shared.testServers ??= { users: 0 };
  const state = shared.testServers;
  state.users += 1;
  state.running ??= startServers();
  const running = await state.running;
  project.provide('servers', running.tested);
  project.provide('allServers', running.all);
  return async () => {
    state.users -= 1;
    if (state.users > 0) return;
    delete shared.testServers;
    await running.stop();
  };
}

interface Started {
  tested: TestServer[];
  all: TestServer[];
  stop(): Promise<void>;
}

async function startServers(): Promise<Started> {
  const { tested, others } = await testBinaries();
  const all = [...tested, ...others];
  const started = await Promise.allSettled(all.map((binaries) => startServer(binaries)));
  const running = started.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const stop = async (): Promise<void> => {
    await Promise.all(running.map((server) => server.stop()));
  };
  const failed = started.find((result) => result.status === 'rejected');
  if (failed) {
    await stop();
    throw failed.reason;
  }
  const servers = running.map(({ server }) => server);
  return { tested: servers.slice(0, tested.length), all: servers, stop };
}
