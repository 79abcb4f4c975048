import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OperationError } from '../../errors.ts';
import { connect } from '../connect.ts';
import { authoritiesOf } from '../tls.ts';
import { explainDumpFailure } from './dump-failure.ts';
import type { DumpRun } from './wasm-pg-dump.ts';

/**
 * Runs a native pg_dump, for servers newer than the WebAssembly one. The password goes into the process's environment,
 * which only its own user can read, and never into its arguments.
 *
 * @returns the archive's bytes
 * @throws OperationError `pg_dump_missing` pg_dump's own failure, or one of `connect`; or the signal's reason
 */
export async function runNativePgDump({ target, args, signal }: DumpRun, pgDumpPath: string): Promise<Uint8Array> {
  signal?.throwIfAborted();
  // A login of our own first: it says what is wrong in our words, and has rotated credentials read anew.
  await (await connect(target)).end();
  const { user, password, certificate } = await target.credentials();
  const folder = await mkdtemp(join(tmpdir(), 'pg-dump-'));
  try {
    const files: Record<string, string> = {};
    for (const [variable, text] of [
      ['PGSSLROOTCERT', authoritiesOf(target.tls)?.join('\n')],
      ['PGSSLCRL', target.tls.crl],
      ['PGSSLCERT', certificate?.certificate],
      ['PGSSLKEY', certificate?.key],
    ] as const) {
      if (text === undefined) continue;
      const path = join(folder, variable.toLowerCase());
      await writeFile(path, text, { mode: 0o600 });
      files[variable] = path;
    }
    return await collect(
      pgDumpPath,
      args,
      {
        PATH: process.env.PATH,
        HOME: folder,
        LC_ALL: 'C',
        PGHOST: target.host,
        PGPORT: String(target.port),
        PGDATABASE: target.database,
        PGUSER: user,
        ...(password === null ? {} : { PGPASSWORD: password }),
        PGAPPNAME: target.applicationName,
        PGCONNECT_TIMEOUT: String(Math.ceil(target.limits.connect_timeout_ms / 1000)),
        PGGSSENCMODE: 'disable',
        PGSSLMODE: target.tls.mode,
        ...files,
      },
      signal,
    );
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    if (error instanceof NativeFailure) throw explainDumpFailure(error.message, target);
    throw new OperationError(
      'pg_dump_missing',
      `pg_dump could not be started from ${pgDumpPath}: ${(error as Error).message}`,
      'Correct PG_DUMP_PATH, or leave it out to use the built-in pg_dump.',
      { cause: error },
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

class NativeFailure extends Error {}

function collect(
  path: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const child = spawn(path, [...args, '--no-password'], {
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
      killSignal: 'SIGKILL',
      ...(signal ? { signal } : {}),
    });
    const output: Buffer[] = [];
    let errors = '';
    child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      errors = (errors + chunk).slice(-16_384);
    });
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve(Buffer.concat(output));
      else reject(new NativeFailure(errors || `ended with code ${code}`));
    });
  });
}
