import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Block, blocksOf, neededBy, placeOf, projectFolder, treatmentOf } from './blocks.ts';

/** What a block wrote. */
export interface Ran {
  block: Block;
  output: string;
}

const sqlRunner = join(projectFolder, 'test/docs/tools/run-sql.ts');
const MAX_DOCUMENT_MS = 240_000;

/**
 * Runs the blocks of a document in one shell, in their order, as somebody would who pastes them one after the other.
 * A command that fails, or a call that the API refuses, is an error.
 *
 * @param folder - to run them in: a copy of the project with the state of a running system
 * @param isInstalled - whether a program that a block needs is on this machine; what needs another is left out
 * @param mayEndWith1 - whether a block says something by ending with 1
 * @throws Error naming the block that failed, and what it wrote
 */
export async function runDocument(
  document: string,
  folder: string,
  isInstalled: (program: string) => boolean,
  mayEndWith1: (block: Block) => boolean = () => false,
): Promise<Ran[]> {
  const blocks = blocksOf(document).filter(
    (block) => treatmentOf(block) === 'run' && neededBy(block).every(isInstalled),
  );
  // Documents but the first begin where it has left off: with the variables of the running system.
  return runBlocks(blocks, folder, document === 'README.md' ? [] : ['. .local/tokens'], mayEndWith1);
}

/** As {@link runDocument}: the given blocks, after the commands of `begin`. */
export async function runBlocks(
  blocks: readonly Block[],
  folder: string,
  begin: readonly string[] = ['. .local/tokens'],
  mayEndWith1: (block: Block) => boolean = () => false,
): Promise<Ran[]> {
  if (blocks.length === 0) return [];
  const outputs = join(folder, '.outputs');
  mkdirSync(outputs, { recursive: true });
  const programs = refusingCurl(folder);
  const script = blocks.map((block, number) => {
    const output = join(outputs, `${number}`);
    writeFileSync(`${output}.sql`, block.text);
    const commands = block.language === 'sql' ? `node '${sqlRunner}' '${output}.sql'\n` : block.text;
    const end = mayEndWith1(block) ? ' || [ $? = 1 ]' : '';
    return `echo ${number} >'${outputs}/at'\n{\n${commands}} >'${output}.out' 2>'${output}.err'${end}`;
  });
  try {
    await runShell([...begin, ...script].join('\n'), folder, programs);
  } catch (cause) {
    const at = Number(read(join(outputs, 'at')));
    const block = blocks[at];
    const written = `${read(join(outputs, `${at}.out`)).slice(-2000)}\n${read(join(outputs, `${at}.err`)).slice(-2000)}`;
    throw new Error(`${block ? placeOf(block) : 'The first command'} fails:\n${block?.text}\nIt wrote:\n${written}`, {
      cause,
    });
  }
  return blocks.map((block, number) => ({ block, output: read(join(outputs, `${number}.out`)) }));
}

/** @throws Error when it fails, or is not done in time; then nothing that it started goes on */
async function runShell(script: string, folder: string, programs: string): Promise<void> {
  const shell = spawn('bash', ['-e', '-o', 'pipefail', '-c', script], {
    cwd: folder,
    detached: true,
    stdio: 'ignore',
    // `npm run synth`, which .ci/run runs beside the tests, makes CDK's checks of the templates.
    env: { CDK_VALIDATION: 'false', ...process.env, PATH: `${programs}:${process.env.PATH}` },
  });
  const timer = setTimeout(() => process.kill(-(shell.pid ?? 0), 'SIGKILL'), MAX_DOCUMENT_MS);
  const [code, signal] = await once(shell, 'exit').finally(() => clearTimeout(timer));
  if (signal !== null) throw new Error(`It was not done after ${MAX_DOCUMENT_MS / 1000} s`);
  if (code !== 0) throw new Error(`It ended with ${code}`);
}

const read = (path: string): string => (existsSync(path) ? readFileSync(path, 'utf8') : '');

/** A `curl` that fails when it is refused: readers see the problem that they get, a script would go on. */
function refusingCurl(folder: string): string {
  const programs = join(folder, '.programs');
  mkdirSync(programs, { recursive: true });
  const curl = execFileSync('sh', ['-c', 'command -v curl'], { encoding: 'utf8' }).trim();
  const wrapper = join(programs, 'curl');
  if (!curl.startsWith(programs)) writeFileSync(wrapper, `#!/bin/sh\nexec '${curl}' --fail-with-body "$@"\n`);
  chmodSync(wrapper, 0o755);
  return programs;
}
