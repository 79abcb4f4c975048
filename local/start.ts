import { once } from 'node:events';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { describeFirstBackup, takeFirstBackup } from './first-backup.ts';
import { guide, writeTokens } from './guide.ts';
import { lockStateFolder } from './lock.ts';
import { removePostgres } from './postgres.ts';
import { sampleDatabase } from './sample/sample.ts';
import { makeTrouble } from './sample/trouble.ts';
import { runWorkload } from './sample/workload.ts';
import { type LocalSystem, type ManagedDatabase, startSystem } from './system.ts';

const stateFolder = '.local';

const usage = `npm start -- [--fresh] [--idle] [--trouble] [--port 4000] [--database-url postgres://user:password@host:port/name]

  --fresh         clears .local/ first: databases, backups, keys and tokens
  --idle          leaves the sample shop at rest, so that it can be compared with a copy
  --trouble       makes each kind of trouble in the sample shop, to be watched being found (15 minutes)
  --port          where the API listens (4000)
  --database-url  manages a database of your own in place of the sample shop`;

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
    if (options.fresh) clear();
    const started = Date.now();
    const database = options.database?.id ?? sampleDatabase;
    console.log('Starting the database management system (Ctrl-C stops it)');
    system = await startSystem({
      stateFolder,
      gatewayPort: options.port,
      signal: ending.signal,
      note: (text) => console.log(`  ${text}`),
      ...(options.database ? { databases: [options.database] } : {}),
    });
    if (system.postgres && !options.idle) stopWorkload = runWorkload(system.postgres);
    const backup = await firstBackup(system, join(stateFolder, `first-backup-${database}`), ending.signal);
    ending.signal.throwIfAborted();
    const tokensPath = writeTokens(system, stateFolder);
    console.log(backup + guide({ system, database, stateFolder, tokensPath, seconds: (Date.now() - started) / 1000 }));
    if (options.trouble && system.postgres) {
      const { postgres, apiUrl, tokens } = system;
      const note = (text: string) => console.log(text);
      trouble = makeTrouble({ postgres, apiUrl, token: tokens.admin, note, signal: ending.signal });
    }
    await once(ending.signal, 'abort');
  } catch (error) {
    if (!ending.signal.aborted) {
      console.error(`\n${explain(error, options.port)}`);
      process.exitCode = 1;
    }
  }
  if (system) console.log('\nStopping');
  await trouble;
  await stopWorkload?.();
  await system?.stop();
  process.exit();
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
  database: ManagedDatabase | null;
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
      database: values['database-url'] === undefined ? null : databaseOf(values['database-url']),
    };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`);
    process.exitCode = 2;
    return null;
  }
}

/** The database that an address names. TLS is verified unless the address says `sslmode=disable` or is this machine's own. */
function databaseOf(address: string): ManagedDatabase {
  const url = URL.canParse(address) ? new URL(address) : null;
  const name = decodeURIComponent(url?.pathname.slice(1) ?? '');
  if (!url || !/^postgres(ql)?:$/.test(url.protocol) || name === '' || url.username === '' || url.hostname === '') {
    throw new Error('--database-url must be of the form postgres://user:password@host:port/name');
  }
  const id =
    name
      .toLowerCase()
      .replaceAll(/[^a-z0-9-]+/g, '-')
      .replace(/^[^a-z]+/, '')
      .slice(0, 40) || 'database';
  const isLocal = ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname);
  const plain = url.searchParams.get('sslmode') === 'disable' || (isLocal && !url.searchParams.has('sslmode'));
  return {
    id,
    name,
    host: url.hostname.replaceAll(/[[\]]/g, ''),
    port: Number(url.port || 5432),
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    tls: { mode: plain ? 'disable' : 'verify' },
  };
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
