import type { TestProject } from 'vitest/node';
import { type Broker, startBroker } from './made-once/broker.ts';
import { propertySeed } from './property-seed.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Where files ask for what is made once for the run; see made-once/ask.ts. */
    broker: string;
    /** Of the property tests, the same in all files. */
    propertySeed: number;
  }
}

/** Each project loads this module for itself; the broker is shared through the process. */
const shared = globalThis as { testBroker?: { users: number; seed: number; running: Promise<Broker> } };

/** Makes nothing until a file asks for it: a run of one unit test starts no server and bundles no function. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  shared.testBroker ??= { users: 0, seed: propertySeed(), running: startBroker() };
  const state = shared.testBroker;
  state.users += 1;
  const broker = await state.running;
  project.provide('broker', broker.url);
  project.provide('propertySeed', state.seed);
  return async () => {
    state.users -= 1;
    if (state.users > 0) return;
    delete shared.testBroker;
    await broker.stop();
  };
}
