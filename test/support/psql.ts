import { execFile, execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { expand } from './expand.ts';
import type { TestServer } from './postgres-server.ts';

/** Whether a program can be run on this machine. */
export function isInstalled(program: string): boolean {
  try {
    execFileSync(program, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

export const psqlIsInstalled = isInstalled('psql');

/** The environment in which psql is connected to a database of a test server. */
export function psqlEnvironment({ host, port, user, password }: TestServer, database: string): Record<string, string> {
  return { PGHOST: host, PGPORT: String(port), PGUSER: user, PGPASSWORD: password, PGDATABASE: database };
}

/**
 * Loads a compressed script with psql. It is decompressed as a person would, with `zstd` or `gzip`; without
 * them, with Node.
 *
 * @returns what psql wrote to its standard error
 * @throws Error with it, when psql ended with another state than 0
 */
export async function loadScript(
  server: TestServer,
  database: string,
  file: string,
  environment: Record<string, string> = {},
): Promise<string> {
  const psql = execFile('psql', ['-X', '-q', '-v', 'ON_ERROR_STOP=1', '-o', '/dev/null'], {
    env: { ...process.env, ...psqlEnvironment(server, database), ...environment },
    maxBuffer: 16 * 1_048_576,
  });
  let errors = '';
  psql.stderr?.on('data', (text: string) => {
    errors += text;
  });
  const ended = new Promise<number | null>((resolve) => psql.once('close', resolve));
  if (!psql.stdin) throw new Error('psql has no standard input');
  // What psql does not read any more when it has failed is nobody's business.
  await decompress(file, psql.stdin).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE' && error.code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
  });
  const state = await ended;
  if (state !== 0) throw new Error(`psql ended with ${state}: ${errors.slice(-4000)}`);
  return errors;
}

async function decompress(file: string, into: NodeJS.WritableStream): Promise<void> {
  const [program, format] = file.endsWith('.gz') ? (['gzip', 'gz'] as const) : (['zstd', 'zst'] as const);
  if (!isInstalled(program)) return pipeline([expand(await readFile(file), format)], into);
  const tool = execFile(program, ['-dc', file], { encoding: 'buffer', maxBuffer: Number.POSITIVE_INFINITY });
  const ended = new Promise<number | null>((resolve) => tool.once('close', resolve));
  if (!tool.stdout) throw new Error(`${program} has no standard output`);
  await pipeline(tool.stdout, into);
  const state = await ended;
  if (state !== 0) throw new Error(`${program} ended with ${state}`);
}
