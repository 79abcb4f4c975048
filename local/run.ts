import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { GivenDatabase } from './database-url/open.ts';
import { describeFirstBackup, takeFirstBackup } from './first-backup.ts';
import { guide, sampleAddress, writeTokens } from './guide.ts';
import type { ManagedKind } from './postgres/managed/profile.ts';
import { sampleDatabase } from './sample/sample.ts';
import { makeTrouble } from './sample/trouble.ts';
import { runWorkload } from './sample/workload.ts';
import { type LocalSystem, startSystem } from './system.ts';

/** What `npm start` was given. */
export interface Options {
  fresh: boolean;
  idle: boolean;
  trouble: boolean;
  port: number;
  databaseUrl: string | null;
  managed: ManagedKind | null;
}

export interface RunOptions {
  readonly options: Options;
  /** In place of the sample shop. */
  readonly given: GivenDatabase | null;
  readonly stateFolder: string;
  /** Ends the start, or the system that runs. */
  readonly signal: AbortSignal;
  /** Told why the running system cannot go on. */
  readonly failed: (error: Error) => void;
}

/** A token lasts for twelve hours; the file always holds ones that last for hours yet. */
const RENEW_TOKENS_MS = 3_600_000;

/**
 * Starts the system, prints what one needs to use it, and waits for its end; whatever happens, all is stopped that was started.
 *
 * @throws Error in words when a part does not start
 */
export async function runSystem({ options, given, stateFolder, signal, failed }: RunOptions): Promise<void> {
  const started = Date.now();
  const opened: (() => unknown)[] = [];
  const note = (text: string): void => console.log(`  ${text}`);
  let database = sampleDatabase;
  console.log('Starting the database management system (Ctrl-C stops it)');
  try {
    const system = await startSystem({
      stateFolder,
      gatewayPort: options.port,
      signal,
      failed,
      note,
      managed: options.managed ?? undefined,
      ...(given
        ? {
            databases: () => {
              const managed = given.manage(stateFolder, note);
              database = managed.id;
              return [managed];
            },
          }
        : {}),
      ...(given?.connectTimeoutMs
        ? { deployment: { connections: { connect_timeout_ms: given.connectTimeoutMs } } }
        : {}),
    });
    opened.push(() => system.stop());
    if (system.postgres && !options.idle) opened.push(runWorkload(system.postgres));
    const backup = await firstBackup(system, join(stateFolder, `first-backup-${database}`), signal);
    signal.throwIfAborted();
    const address = given ?? sampleAddress(system);
    const tokensPath = await writeTokens(system, address, stateFolder);
    const renew = async () => writeTokens(system, address, stateFolder, await system.freshTokens());
    const renewal = setInterval(() => void renew().catch(failed), RENEW_TOKENS_MS);
    opened.push(() => clearInterval(renewal));
    const seconds = (Date.now() - started) / 1000;
    console.log(
      backup + guide({ system, address, stateFolder, tokensPath, seconds, inTerminal: process.stdout.isTTY }),
    );
    if (options.trouble && system.postgres) {
      const { postgres, apiUrl, tokens } = system;
      const said = (text: string) => console.log(text);
      const trouble = makeTrouble({ postgres, apiUrl, token: tokens.admin, note: said, signal });
      opened.push(() => trouble);
    }
    await once(signal, 'abort');
  } finally {
    for (const end of opened.reverse()) await end();
  }
}

/** What the first backup took, once. When it fails the system stays up, so that one can look into it. */
async function firstBackup(system: LocalSystem, marker: string, signal: AbortSignal): Promise<string> {
  if (existsSync(marker)) return '';
  try {
    return describeFirstBackup(await takeFirstBackup(system, { marker, signal }));
  } catch (error) {
    return `\n${error instanceof Error ? error.message : String(error)}\n`;
  }
}
