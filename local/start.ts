import { existsSync, readFileSync, rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { DatabaseUrlError } from './database-url/error.ts';
import { openDatabase } from './database-url/open.ts';
import { form } from './database-url/parse.ts';
import { type DatabaseAddress, readAddress } from './database-url/settings.ts';
import { lockStateFolder, refuseSecond } from './lock.ts';
import { freePort, PortTaken, requireFreePort } from './ports.ts';
import { removePostgres } from './postgres/folder.ts';
import type { Options } from './run.ts';
import { describeDiskTrouble, diskTrouble, requireFreeSpace, StateNotWritten } from './state-disk.ts';

const stateFolder = '.local';

const usage = `npm start -- [--fresh] [--idle] [--trouble] [--port 4000]
             [--managed rds|aurora] [--database-url <address>]

  --fresh         clears .local/ first: databases, backups, keys and tokens
  --idle          runs no workload on the sample shop, so that you can compare
                  it with a copy
  --trouble       injects faults into the sample shop, to show how they are
                  detected (15 minutes)
  --port          where the API listens (4000)
  --managed       puts the sample shop on a server that behaves as Amazon RDS
                  or Aurora do: no superuser, their parameters and refusals;
                  see docs/managed-servers.md
  --database-url  manages a database of your own in place of the sample shop:
                  ${form}
                  The address means the same as in psql. Put the password into
                  PGPASSWORD or ~/.pgpass to keep it out of the list of
                  processes; see docs/database-url.md`;

/** What a first start writes, and a later one: data, programs, bundles. Bytes. */
const neededSpace = { first: 300_000_000, later: 100_000_000 };

/** `npm start`: the whole system on this machine, until Ctrl-C. */
async function main(): Promise<void> {
  const options = readOptions();
  if (!options) return;
  // Whatever this and its children write is for this user alone.
  process.umask(0o077);
  const ending = new AbortController();
  let told: Promise<void> | null = null;
  /** Says why at once, and ends all that runs. */
  const fail = (error: unknown): void => {
    told ??= explain(error).then((words) => console.error(`\n${words}`));
    process.exitCode = isMalformed(error) ? 2 : 1;
    ending.abort();
  };
  const stop = (): void => {
    // A second key press changes nothing: it does not cut short what keeps the data whole.
    if (ending.signal.aborted) return;
    // Said at once: what is being started may take a while until it can be stopped.
    console.log('\nStopping');
    ending.abort();
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop);
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) process.on(event, fail);
  endWithNpm(stop);

  try {
    // What can be refused is refused before anything is started, cleared or even loaded.
    const address = readGiven(options.databaseUrl);
    refuseSecond(stateFolder);
    await requireFreePort(options.port);
    requireFreeSpace(existingPart(stateFolder), isFirst(options) ? neededSpace.first : neededSpace.later);
    const given = address && (await openDatabase(address, ending.signal));
    if (options.fresh) clear();
    const { runSystem } = await import('./run.ts');
    await runSystem({ options, given, stateFolder, signal: ending.signal, failed: fail });
  } catch (error) {
    if (!ending.signal.aborted) fail(error);
  }
  await told;
  process.exit();
}

/** What `--database-url` says, with what libpq would find in the environment, which no other part is to meet; null without that option. */
function readGiven(url: string | null): DatabaseAddress | null {
  if (url === null) return null;
  // Takes the place of the arguments in the list of processes, which everybody on the machine may read.
  process.title = 'database management system';
  const address = readAddress(url, process.env);
  for (const name of Object.keys(process.env)) if (/^PG[A-Z]+$/.test(name)) delete process.env[name];
  return address;
}

const isMalformed = (error: unknown): boolean => error instanceof DatabaseUrlError && error.isMalformed;

function isFirst({ fresh }: Options): boolean {
  return fresh || !existsSync(stateFolder);
}

/** The folder itself, or the one that it will be made in. */
function existingPart(folder: string): string {
  return existsSync(folder) ? resolve(folder) : resolve('.');
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

const optionTypes = {
  fresh: { type: 'boolean', default: false },
  idle: { type: 'boolean', default: false },
  trouble: { type: 'boolean', default: false },
  port: { type: 'string', default: '4000' },
  'database-url': { type: 'string' },
  managed: { type: 'string' },
  help: { type: 'boolean', default: false },
} as const;

/**
 * npm takes options that stand before `--` for its own settings, warns of them at most, and passes the rest on.
 *
 * @throws Error with the command as it should be
 */
function refuseSwallowed(): void {
  if (process.env.npm_lifecycle_event !== 'start') return;
  const swallowed = Object.entries(optionTypes).filter(
    ([name]) => `npm_config_${name.replaceAll('-', '_')}` in process.env,
  );
  if (swallowed.length === 0) return;
  // Without values: one of them may be a password.
  const given = swallowed.map(([name, { type }]) => (type === 'boolean' ? `--${name}` : `--${name} ...`)).join(' ');
  throw new Error(
    `npm kept ${swallowed.map(([name]) => `--${name}`).join(', ')} for itself. Nothing was started.\nPut -- before the options: npm start -- ${given}`,
  );
}

function readOptions(): Options | null {
  try {
    refuseSwallowed();
    const { values } = parseArgs({ options: optionTypes });
    const port = Number(values.port);
    if (!Number.isInteger(port) || port < 0 || port > 65_535)
      throw new Error(`--port ${values.port} is not a port number`);
    if (values.trouble && values['database-url'] !== undefined)
      throw new Error('--trouble is for the sample shop alone');
    const { managed = null } = values;
    if (managed !== null && managed !== 'rds' && managed !== 'aurora')
      throw new Error(`--managed ${managed} is neither rds nor aurora`);
    if (managed !== null && values['database-url'] !== undefined)
      throw new Error('--managed is for the sample shop alone');
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
      managed,
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

async function explain(error: unknown): Promise<string> {
  if (error instanceof StateNotWritten) return error.message;
  if (error instanceof PortTaken) {
    const hint =
      error.code === 'EACCES'
        ? 'Ports below 1024 are for root; give another one'
        : 'End that program, or give another port';
    const other = await freePort(error.port < 1024 ? 4000 : error.port + 1);
    return `${error.message}.\nThe API should listen there (--port). Nothing was started.\n${hint}:\n  npm start -- --port ${other}`;
  }
  if (error instanceof DatabaseUrlError)
    return isMalformed(error) ? `${error.message}\n  All options: npm start -- --help` : error.message;
  const trouble = diskTrouble(error);
  if (trouble !== null) return describeDiskTrouble(resolve(stateFolder), trouble);
  return error instanceof Error ? error.message : String(error);
}

await main();
