import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { freePort, knownPorts, PortTaken, requireFreePort } from '../../local/ports.ts';

let folder: string;
const servers: Server[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ports-'));
});
afterEach(async () => {
  for (const server of servers.splice(0)) server.close();
  await rm(folder, { recursive: true, force: true });
});

async function listen(port: number): Promise<{ port: number; close(): Promise<void> }> {
  const server = createServer();
  await new Promise<void>((ready, failed) => server.once('error', failed).listen(port, '127.0.0.1', ready));
  servers.push(server);
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    close: () => new Promise((closed) => server.close(() => closed())),
  };
}

it('keeps ports from one start to the next, and says when one is taken by now', async () => {
  const notes: string[] = [];
  const start = () => knownPorts(folder, (text) => notes.push(text));
  const first = await start().open('mailbox', listen);
  await first.close();
  const second = await start().open('mailbox', listen);
  expect([second.port, notes]).toEqual([first.port, []]);
  const third = await start().open('mailbox', listen);
  expect(third.port).not.toBe(first.port);
  expect(notes).toEqual([
    expect.stringMatching(
      new RegExp(`^Port ${first.port}, which mailbox had before, is in use.*now has port ${third.port}$`),
    ),
  ]);
  await third.close();
  expect((await start().open('mailbox', listen)).port).toBe(third.port);
  expect((await stat(join(folder, 'ports.json'))).mode & 0o777).toBe(0o600);
});

it('takes the port of the issuer over from where former versions kept it', async () => {
  const port = await freePort();
  await writeFile(join(folder, 'issuer-port'), String(port));
  expect((await knownPorts(folder, () => undefined).open('issuer', listen)).port).toBe(port);
  await rm(join(folder, 'ports.json'), { force: true });
  await expect(readFile(join(folder, 'issuer-port'))).rejects.toMatchObject({ code: 'ENOENT' });
});

it('passes on every other error of what is opened', async () => {
  const failing = () => Promise.reject(new Error('the state is damaged'));
  await expect(knownPorts(folder, () => undefined).open('s3', failing)).rejects.toThrow('the state is damaged');
});

it('names who holds a port, and finds a free one after it', async () => {
  const { port } = await listen(0);
  const error = await requireFreePort(port).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(PortTaken);
  if (process.platform === 'linux')
    expect(String(error)).toContain(` by ${basename(process.argv0)} (process ${process.pid}, in ${process.cwd()})`);
  await requireFreePort(await freePort(port));
});
