import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type OwnServer, ownServer } from '../postgres/support/own-server.ts';
import { embeddedBinaries } from '../support/postgres-binaries.ts';
import { malformedAddresses } from './database-url/malformed.ts';
import { prepare, refusals } from './database-url/refused.ts';
import { unreachableServers } from './database-url/unreachable.ts';
import type { Fault, Outcome } from './fault.ts';
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
      const outcome = await runFault(own, arranged);
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
