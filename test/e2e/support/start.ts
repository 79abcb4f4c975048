import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { basePath } from '../../../shared/contract/routes.ts';
import '../../support/function-bundles.ts';
import { managedProfile } from '../../support/managed-profile.ts';
import { eventually } from './api.ts';

const startPath = fileURLToPath(new URL('../../../local/start.ts', import.meta.url));

export interface Started {
  /** What it has printed so far. */
  readonly printed: string;
  /** Waits until it has printed all there is to print; rejects when it ends before. */
  ready(): Promise<string>;
  /** Sends a signal and waits for the end. */
  end(signal: 'SIGINT' | 'SIGTERM'): Promise<number | null>;
  /** Ctrl-C in its terminal: to it and all that it has started in its process group. */
  interrupt(): Promise<number | null>;
  ended(): Promise<number | null>;
}

/** On a managed profile the sample is on such a server; a database of one's own stays where it is. */
export function profileOptions(options: readonly string[]): string[] {
  const kind = managedProfile();
  return kind === null || options.includes('--database-url') ? [] : ['--managed', kind];
}

/** Runs `node local/start.ts` with `folder` as its working folder, where it keeps its state. */
export function runStart(folder: string, ...options: string[]): Started {
  const child: ChildProcess = spawn(process.execPath, [startPath, ...options, ...profileOptions(options)], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let printed = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (text: string) => {
      printed += text;
    });
  const exit = once(child, 'close').then(([code]) => code as number | null);
  const over = () => child.exitCode !== null || child.signalCode !== null;
  return {
    get printed() {
      return printed;
    },
    async ready() {
      const isReady = () => /^Then, for instance\n(?:\n|.)*\/jobs\n/m.test(printed);
      await eventually(isReady, (yes) => yes || over());
      if (!isReady()) throw new Error(`It ended:\n${printed}`);
      return printed;
    },
    end(signal) {
      child.kill(signal);
      return exit;
    },
    interrupt() {
      process.kill(-(child.pid ?? 0), 'SIGINT');
      return exit;
    },
    ended: () => exit,
  };
}

/** What the system prints when it is ready, as a person reads it. */
export function readStart(printed: string) {
  const value = (name: string): string => new RegExp(`^  ${name}=(\\S+)$`, 'm').exec(printed)?.[1] ?? '';
  const row = (name: string): string => new RegExp(`^  ${name}  +(\\S+)`, 'm').exec(printed)?.[1] ?? '';
  const apiUrl = value('API').replace(basePath, '');
  const [viewer, operator, admin, auditor] = ['VIEWER', 'OPERATOR', 'ADMIN', 'AUDITOR'].map(value) as [
    string,
    string,
    string,
    string,
  ];
  return { row, apiUrl, tokens: { viewer, operator, admin, auditor } };
}

/** Processes that work in a folder or were told of it; none where the system does not say. */
export function processesIn(folder: string): string[] {
  const read = (pid: string): string => {
    try {
      return `${readlinkSync(`/proc/${pid}/cwd`)} ${readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')}`;
    } catch {
      return '';
    }
  };
  if (process.platform !== 'linux') return [];
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => `${pid} ${read(pid)}`)
    .filter((text) => text.includes(folder));
}
