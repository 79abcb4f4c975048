import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { processesIn } from '../e2e/support/start.ts';
import { type OwnServer, ownServer } from '../postgres/support/own-server.ts';
import { embeddedBinaries } from '../support/postgres-binaries.ts';
import { listener } from './database-url/listeners.ts';
import { malformedAddresses } from './database-url/malformed.ts';
import { prepare, refusals } from './database-url/refused.ts';
import { unreachableServers } from './database-url/unreachable.ts';
import type { Fault, Outcome } from './fault.ts';
import { machineFaults } from './first-start/faults.ts';
import { swallowedOptions } from './first-start/swallowed.ts';
import { runFault } from './run-fault.ts';
import { tableOf } from './table.ts';

/** Far more than any of them takes: what it really takes is in the table. */
const bound = 30;

let folder: string;
let server: OwnServer;
let plain: OwnServer;
const outcomes = new Map<string, Outcome>();

/** Faults of other parts are further lists here. */
const faults: readonly Fault[] = [
  ...machineFaults,
  swallowedOptions,
  ...malformedAddresses,
  ...unreachableServers,
  ...refusals(
    () => server,
    () => plain,
  ),
];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'newcomer-'));
  const binaries = await embeddedBinaries();
  [server, plain] = await Promise.all([ownServer(binaries), ownServer(binaries, { ssl: 'off' })]);
  await Promise.all([prepare(server), prepare(plain)]);
});
afterAll(async () => {
  await server?.remove();
  await plain?.remove();
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  const rows = faults.flatMap(({ name }) => {
    const outcome = outcomes.get(name);
    return outcome ? [{ name, outcome }] : [];
  });
  if (rows.length > 0) process.stdout.write(`\n${tableOf(rows)}\n\n`);
});

describe.concurrent('npm start says what is wrong', () => {
  test.for(faults.map((fault, number) => ({ ...fault, number })))('$name', async ({ name, arrange, number }) => {
    const own = join(folder, String(number));
    await mkdir(own);
    const arranged = await arrange(own);
    try {
      const outcome = await runFault(own, arranged, number % 8 === 0 ? 'npm' : 'node');
      outcomes.set(name, outcome);
      const { printed, exitCode, seconds, left } = outcome;
      for (const words of arranged.says) expect(printed).toMatch(words);
      // npm shows the command that it runs.
      if (arranged.secret !== undefined) expect(printed.replaceAll(/^> .*$/gm, '')).not.toContain(arranged.secret);
      expect(printed).not.toMatch(/\n {4}at |Ready in|security group|secret/);
      expect({ exitCode, left }).toEqual({ exitCode: arranged.exitCode, left: [] });
      expect(seconds).toBeLessThan(bound);
    } finally {
      await arranged.close?.();
    }
  });
});

test.skipIf(process.platform !== 'linux')('no list of processes shows the password of the address', async () => {
  const own = join(folder, 'listed');
  await mkdir(own);
  const secret = `p${Date.now()}`;
  const { port, close } = await listener(() => undefined);
  try {
    const url = `postgres://me:${secret}@127.0.0.1:${port}/shop?connect_timeout=8`;
    const running = runFault(own, { options: ['--database-url', url], exitCode: 1, says: [] });
    const commands = () => processesIn('').filter((text) => text.includes(own) || text.includes(secret));
    const hasRead = () => commands().some((text) => text.includes('database management system'));
    await vi.waitUntil(hasRead, { timeout: 60_000, interval: 50 });
    expect(commands().filter((text) => text.includes(secret))).toEqual([]);
    expect((await running).printed).not.toContain(secret);
  } finally {
    await close();
  }
});
