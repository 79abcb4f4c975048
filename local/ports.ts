import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The port is another program's, or not for this user. */
export class PortTaken extends Error {
  override readonly name = 'PortTaken';
  readonly port: number;
  /** As the system's errors have it: `EADDRINUSE` or `EACCES`. */
  readonly code: string;

  constructor(port: number, code: string, reason: string, cause: unknown) {
    super(reason, { cause });
    this.port = port;
    this.code = code;
  }
}

/** @throws PortTaken, which names what holds the port where that can be found out */
export async function asPortTaken(port: number, error: unknown): Promise<never> {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'EADDRINUSE') {
    const holder = await holderOf(port);
    throw new PortTaken(port, code, `Port ${port} is in use${holder === null ? '' : ` by ${holder}`}`, error);
  }
  if (code === 'EACCES') throw new PortTaken(port, code, `This user may not use port ${port}`, error);
  throw error;
}

/** @throws PortTaken when nothing can listen on a loopback port now */
export async function requireFreePort(port: number): Promise<void> {
  await tryPort(port).catch((error: unknown) => asPortTaken(port, error));
}

/** A port on which nothing listens, from one on; any at all when many are taken. */
export async function freePort(from = 0): Promise<number> {
  for (let port = from; from > 0 && port < Math.min(from + 50, 65_536); port++) {
    const found = await tryPort(port).catch(() => null);
    if (found !== null) return found;
  }
  return tryPort(0);
}

async function tryPort(port: number): Promise<number> {
  const server = createServer();
  await new Promise<void>((ready, failed) => {
    server.once('error', failed);
    server.listen(port, '127.0.0.1', ready);
  });
  const address = server.address();
  await new Promise((closed) => server.close(closed));
  if (address === null || typeof address === 'string') throw new Error('No free port on 127.0.0.1');
  return address.port;
}

/** Ports that stay the same from one start to the next. */
export type KnownPorts = {
  /**
   * Opens something on the port that it had before, or, where that is taken by now, on a new one, with a word about it.
   *
   * @param name - such as `postgres`
   * @param open - is given 0 for any port; throws with the code `EADDRINUSE` or `EACCES` when it cannot have the one it is given
   */
  readonly open: <Opened extends { readonly port: number }>(
    name: string,
    open: (port: number) => Promise<Opened>,
  ) => Promise<Opened>;
};

/** @param note - told of a port that could not be kept */
export function knownPorts(stateFolder: string, note: (text: string) => void): KnownPorts {
  const path = join(stateFolder, 'ports.json');
  const known = readPorts(path, stateFolder);
  return {
    open: async (name, open) => {
      const before = known[name] ?? 0;
      const opened = await open(before).catch(async (error: unknown) => {
        const { code } = error as NodeJS.ErrnoException;
        if (before === 0 || (code !== 'EADDRINUSE' && code !== 'EACCES')) throw error;
        const other = await open(0);
        const holder = await holderOf(before);
        note(
          `Port ${before}, which ${name} had before, is in use${holder === null ? '' : ` by ${holder}`}; it now has port ${other.port}`,
        );
        return other;
      });
      if (opened.port !== before) {
        known[name] = opened.port;
        writeFileSync(path, JSON.stringify(known), { mode: 0o600 });
      }
      return opened;
    },
  };
}

function readPorts(path: string, stateFolder: string): Record<string, number> {
  const read = (file: string): unknown => {
    try {
      return JSON.parse(readFileSync(file, 'utf8'));
    } catch {
      return null;
    }
  };
  const stored = read(path);
  if (typeof stored === 'object' && stored !== null) return stored as Record<string, number>;
  // Former versions kept the issuer's port alone, in a file of its own.
  const former = join(stateFolder, 'issuer-port');
  const issuer = read(former);
  rmSync(former, { force: true });
  return typeof issuer === 'number' ? { issuer } : {};
}

/** The program that listens on a port, such as `node (process 17, in /home/me/shop)`; null when this user cannot see it. */
async function holderOf(port: number): Promise<string | null> {
  try {
    return process.platform === 'linux' ? linuxHolder(port) : await otherHolder(port);
  } catch {
    return null;
  }
}

function linuxHolder(port: number): string | null {
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const LISTENING = '0A';
  const inodes = ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((table) =>
    readFileSync(table, 'utf8')
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .filter((columns) => columns[1]?.endsWith(local) && columns[3] === LISTENING)
      .map((columns) => `socket:[${columns[9]}]`),
  );
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    if (!openFiles(pid).some((file) => inodes.includes(file))) continue;
    // `comm` is the name of a thread, which programs change: Node.js calls its first one MainThread.
    const [command = ''] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    const name = basename(command) || readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
    return `${name} (process ${pid}, in ${readlinkSync(`/proc/${pid}/cwd`)})`;
  }
  return null;
}

function openFiles(pid: string): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return [readlinkSync(`/proc/${pid}/fd/${fd}`)];
      } catch {
        return [];
      }
    });
  } catch {
    return [];
  }
}

async function otherHolder(port: number): Promise<string | null> {
  const { stdout } = await run('lsof', ['-nP', `-iTCP:${port}`, '-sTCP:LISTEN', '-Fpc'], { timeout: 500 });
  const [, pid] = /^p(\d+)$/m.exec(stdout) ?? [];
  const [, name] = /^c(.+)$/m.exec(stdout) ?? [];
  return pid === undefined ? null : `${name ?? 'a program'} (process ${pid})`;
}
