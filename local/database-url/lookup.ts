import { execFile } from 'node:child_process';
import { isIP } from 'node:net';
import { DatabaseUrlError } from './error.ts';

const script =
  'require("node:dns").lookup(process.argv[1], { all: true }, (error, all) => process.stdout.write(JSON.stringify(error ? { code: error.code } : all)))';

/**
 * Finds a host's addresses, in a process of its own: a lookup that is not answered cannot be given up, and this process could not
 * end before it.
 *
 * @throws DatabaseUrlError when there is none, or none is found in time
 */
export async function lookUp(host: string, milliseconds: number): Promise<void> {
  if (isIP(host) || host === 'localhost' || host.startsWith('/')) return;
  const answer = await new Promise<{ code?: string } | null>((resolve) => {
    execFile(
      process.execPath,
      ['-e', script, host],
      { timeout: milliseconds, killSignal: 'SIGKILL', env: {} },
      (error, said) => resolve(error ? null : (JSON.parse(said) as { code?: string })),
    );
  });
  if (answer === null) {
    throw new DatabaseUrlError(
      `the name ${host} was not resolved within ${milliseconds / 1000} s`,
      'Check the name and the DNS servers of this machine, or give the IP address.',
    );
  }
  if (answer.code === undefined) return;
  throw new DatabaseUrlError(
    `there is no host named ${host} (${answer.code})`,
    'Check how the name is written, and whether this machine can resolve it.',
  );
}
