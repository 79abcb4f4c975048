import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { processesIn } from '../e2e/support/start.ts';
import type { Arranged, Outcome } from './fault.ts';

const project = fileURLToPath(new URL('../..', import.meta.url));
const startPath = join(project, 'local/start.ts');
/** A command that says nothing of what is wrong is ended after this long, in milliseconds. */
const longest = 90_000;

/**
 * Runs `npm start -- <options>` as a newcomer does, with `folder` in place of the project's, so that runs do not meet, and with a
 * home and an environment in which nothing of PostgreSQL is set. Or, without npm, what npm would run: npm itself takes more
 * processor time than most refusals.
 */
export async function runFault(
  folder: string,
  { options, environment = {} }: Arranged,
  by: 'npm' | 'node' = 'npm',
): Promise<Outcome> {
  const { scripts } = JSON.parse(await readFile(join(project, 'package.json'), 'utf8')) as {
    scripts: { start: string };
  };
  const start = scripts.start.replace('local/start.ts', startPath);
  await writeFile(join(folder, 'package.json'), JSON.stringify({ private: true, type: 'module', scripts: { start } }));
  const own = Object.entries(process.env).filter(([name]) => !/^(PG|npm_|INIT_CWD|VITEST|NODE_)/.test(name));
  // Any free one, unless the fault is about it.
  const port = options.includes('--port') ? [] : ['--port', '0'];
  const started = performance.now();
  const [command, ...words] = by === 'npm' ? ['npm', 'start', '--'] : [process.execPath, startPath];
  const child = spawn(command, [...words, ...port, ...options], {
    cwd: folder,
    env: {
      ...Object.fromEntries(own),
      // As with the scripts of the project itself, its own Node.js is found first.
      PATH: [join(project, 'node_modules/.bin'), dirname(process.execPath), process.env.PATH].join(delimiter),
      HOME: folder,
      npm_config_update_notifier: 'false',
      ...environment,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let printed = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      printed += text;
    });
  const timer = setTimeout(() => child.pid !== undefined && process.kill(-child.pid, 'SIGKILL'), longest);
  const [exitCode] = (await once(child, 'close')) as [number | null];
  clearTimeout(timer);
  return { seconds: (performance.now() - started) / 1000, exitCode, printed, left: processesIn(folder) };
}
