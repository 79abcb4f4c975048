import { once } from 'node:events';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { DatabaseUrlError } from './database-url/error.ts';
import { type GivenDatabase, openDatabaseUrl } from './database-url/open.ts';
import { form } from './database-url/parse.ts';
import { describeFirstBackup, takeFirstBackup } from './first-backup.ts';
import { guide, sampleAddress, writeTokens } from './guide.ts';
import { lockStateFolder } from './lock.ts';
import { removePostgres } from './postgres.ts';
import { sampleDatabase } from './sample/sample.ts';
import { makeTrouble } from './sample/trouble.ts';
import { runWorkload } from './sample/workload.ts';
import { type LocalSystem, startSystem } from './system.ts';

const stateFolder = '.local';

const usage = `npm start -- [--fresh] [--idle] [--trouble] [--port 4000] [--database-url ${form}]

  --fresh         clears .local/ first: databases, backups, keys and tokens
  --idle          leaves the sample shop at rest, so that it can be compared with a copy
  --trouble       makes each kind of trouble in the sample shop, to be watched being found (15 minutes)
  --port          where the API listens (4000)
  --database-url  manages a database of your own in place of the sample shop; the address means what it means to psql, and the
                  password may be left to PGPASSWORD or ~/.pgpass, where no list of processes shows it`;

/** `npm start`: the whole system on this machine, until Ctrl-C. */
async function main(): Promise<void> {
  const options = readOptions();
  if (!options) return;
  const ending = new AbortController();
  let system: LocalSystem | null = null;
  let stopWorkload: (() => Promise<void>) | null = null;
  let trouble: Promise<void> | null = null;
  // A second key press changes nothing: it does not cut short what keeps the data whole.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => ending.abort());
  endWithNpm(() => ending.abort());

  try {
    const started = Date.now();
    console.log('Starting the database management system (Ctrl-C stops it)');
    const note = (text: string): void => console.log(`  ${text}`);
    const given = await openGiven(options.databaseUrl, note, ending.signal);
    if (options.fresh) clear();
    let database = sampleDatabase;
    system = await startSystem({
      stateFolder,
      gatewayPort: options.port,
      signal: ending.signal,
      note,
      ...(given
        ? {
            databases: () => {
              const managed = given.manage(stateFolder);
              database = managed.id;
              return [managed];
            },
          }
        : {}),
      ...(given?.connectTimeoutMs
        ? { deployment: { connections: { connect_timeout_ms: given.connectTimeoutMs } } }
        : {}),
    });
    if (system.postgres && !options.idle) stopWorkload = runWorkload(system.postgres);
    const backup = await firstBackup(system, join(stateFolder, `first-backup-${database}`), ending.signal);
    ending.signal.throwIfAborted();
    const address = given ?? sampleAddress(system);
    const tokensPath = writeTokens(system, address, stateFolder);
    console.log(backup + guide({ system, address, stateFolder, tokensPath, seconds: (Date.now() - started) / 1000 }));
    if (options.trouble && system.postgres) {
      const { postgres, apiUrl, tokens } = system;
      const note = (text: string) => console.log(text);
      trouble = makeTrouble({ postgres, apiUrl, token: tokens.admin, note, signal: ending.signal });
    }
    await once(ending.signal, 'abort');
  } catch (error) {
    if (!ending.signal.aborted) {
      const isMalformed = error instanceof DatabaseUrlError && error.isMalformed;
      console.error(`\n${explain(error, options.port)}${isMalformed ? `\n\n${usage}` : ''}`);
      process.exitCode = isMalformed ? 2 : 1;
    }
  }
  if (system) console.log('\nStopping');
  await trouble;
  await stopWorkload?.();
  await system?.stop();
  process.exit();
}

/** The database that `--database-url` names, once it can be logged in to; null without that option. */
async function openGiven(
  url: string | null,
  note: (text: string) => void,
  signal: AbortSignal,
): Promise<GivenDatabase | null> {
  if (url === null) return null;
  // Takes the place of the arguments in the list of processes, which everybody on the machine may read.
  process.title = 'database management system';
  return openDatabaseUrl(url, { environment: process.env, note, signal });
}

/** npm that is killed does not pass it on to the shell and this process below it: here its going is noticed. */
function endWithNpm(end: () => void): void {
  const parent = process.ppid;
  // In a container npm itself may be the first process; elsewhere that one takes over whoever has lost their parent.
  const isOrphan = parent === 1 && process.env.npm_lifecycle_event !== undefined && !/npm|sh/.test(firstProcess());
  setInterval(() => {
    if (isOrphan || process.ppid !== parent) end();
  }, 500).unref();
}

function firstProcess(): string {
  try {
    return readFileSync('/proc/1/comm', 'utf8');
  } catch {
    return '';
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

interface Options {
  fresh: boolean;
  idle: boolean;
  trouble: boolean;
  port: number;
  databaseUrl: string | null;
}

function readOptions(): Options | null {
  try {
    const { values } = parseArgs({
      options: {
        fresh: { type: 'boolean', default: false },
        idle: { type: 'boolean', default: false },
        trouble: { type: 'boolean', default: false },
        port: { type: 'string', default: '4000' },
        'database-url': { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    });
    const port = Number(values.port);
    if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new Error(`--port ${values.port} is no port`);
    if (values.trouble && values['database-url'] !== undefined)
      throw new Error('--trouble is for the sample shop alone');
    if (values.help) {
      console.log(usage);
      return null;
    }
    return {
      fresh: values.fresh,
      idle: values.idle,
      trouble: values.trouble,
      port,
      databaseUrl: values['database-url'] ?? null,
    };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`);
    process.exitCode = 2;
    return null;
  }
}

/** Clears the state, which nobody may be using. */
function clear(): void {
  if (!existsSync(stateFolder)) return;
  lockStateFolder(stateFolder)();
  removePostgres(stateFolder);
  rmSync(stateFolder, { recursive: true, force: true });
}

function explain(error: unknown, port: number): string {
  if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') {
    return `Port ${port} is taken. Give another one: npm start -- --port ${port + 1}`;
  }
  return error instanceof Error ? error.message : String(error);
}

await main();
