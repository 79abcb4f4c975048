import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, extname, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { checkDeployment } from '../infra/config/load.ts';
import type { PlatformKind } from '../shared/platforms/platform.ts';
import { platformOf } from '../shared/platforms/platforms.ts';
import { AnswerError, answerAll } from './init/answer.ts';
import { Ended, openPrompt, type Prompt } from './init/prompt.ts';
import { type Answers, configurationOf, questions } from './init/questions.ts';
import { renderModule } from './init/render.ts';

const projectFolder = resolve(import.meta.dirname, '..');
const width = Math.max(...questions.map(({ name }) => name.length)) + 2;

const usage = `npm run init [-- --file my-deployment.ts] [--yes] [--overwrite] [--<question> <answer>]...

Asks for what a deployment needs and writes its configuration. Each question can be answered beforehand:

${questions.map(({ name, text }) => `  --${name.padEnd(width)}${text}`).join('\n')}

  --${'file'.padEnd(width)}where to write it (my-deployment.ts)
  --${'yes'.padEnd(width)}ask nothing; use the default of each question that has no option
  --${'overwrite'.padEnd(width)}replace a file that is there`;

/** @returns the exit status */
async function main(): Promise<number> {
  const { file, yes, overwrite, help, ...given } = parseArgs({
    options: {
      file: { type: 'string', default: 'my-deployment.ts' },
      yes: { type: 'boolean', default: false },
      overwrite: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
      ...Object.fromEntries(questions.map(({ name }) => [name, { type: 'string' as const }])),
    },
  }).values as Record<string, string | boolean | undefined> & { file: string };
  if (help) {
    console.log(usage);
    return 0;
  }
  if (extname(file) !== '.ts') throw new AnswerError('--file must end with .ts');
  const prompt = yes ? null : openPrompt(process.stdin, process.stdout);
  try {
    if (!(await mayWrite(file, overwrite === true, prompt))) return 1;
    prompt?.say('Press Enter to accept the answer in brackets. Ctrl-C stops without writing anything.\n');
    const answers = await answerAll(given, prompt);
    write(file, answers);
    console.log(nextSteps(file, answers));
    return 0;
  } finally {
    prompt?.close();
  }
}

/** @throws AnswerError when the file is there and nobody can be asked */
async function mayWrite(file: string, overwrite: boolean, prompt: Prompt | null): Promise<boolean> {
  if (overwrite || !existsSync(file)) return true;
  if (!prompt) throw new AnswerError(`${file} already exists; --overwrite replaces it, --file names another one`);
  const answer = await prompt.ask(`${file} already exists. Replace it? [no]: `);
  if (/^y(es)?$/i.test(answer.trim())) return true;
  prompt.say('Nothing was written. --file names another one.');
  return false;
}

/** The file is there whole, or not at all. */
function write(file: string, answers: Answers): void {
  const path = resolve(file);
  const configuration = configurationOf(answers);
  checkDeployment(configuration, file);
  const schema = relative(dirname(path), resolve(projectFolder, 'infra/config/schema.ts'));
  const unfinished = `${path}.unfinished`;
  try {
    writeFileSync(unfinished, renderModule(configuration, schema.startsWith('.') ? schema : `./${schema}`));
    renameSync(unfinished, path);
  } finally {
    rmSync(unfinished, { force: true });
  }
}

function nextSteps(file: string, answers: Answers): string {
  const { region, account, kind, login } = answers;
  const copies = answers['copies-region'];
  const environments = [region, ...(copies === null ? [] : [copies])].map((each) => `aws://${account}/${each}`);
  const { scripts: base } = platformOf({ kind: kind as PlatformKind }).privileges;
  const scripts = [...base, ...(login === 'iam' ? ['iam.sql'] : [])];
  const steps: [string, string][] = [
    ['Create its login on the server', `docs/logins/${scripts.join(', docs/logins/')}`],
    ['Check that it can be deployed', `DEPLOYMENT=${file} npm run synth`],
    ['Prepare the account, once', `npx cdk bootstrap ${environments.join(' ')}`],
    ['Deploy it', `DEPLOYMENT=${file} npm run deploy`],
  ];
  const longest = Math.max(...steps.map(([what]) => what.length));
  const lines = steps.map(([what, how], at) => `  ${at + 1}. ${what.padEnd(longest)}  ${how}`);
  return `\nWrote ${file}. Next, as docs/deploy.md explains:\n\n${lines.join('\n')}\n`;
}

try {
  process.exitCode = await main();
} catch (error) {
  if (error instanceof Ended) {
    console.error('\nNothing was written.');
    process.exitCode = 130;
  } else {
    const isUsage = error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
    console.error(error instanceof Error ? error.message : error);
    if (isUsage) console.error(`\n${usage}`);
    process.exitCode = 2;
  }
}
