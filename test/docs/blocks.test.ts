import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { checkDeployment } from '../../infra/config/load.ts';
import { deploymentSchema } from '../../infra/config/schema.ts';
import { unknownToAws } from './support/aws-operations.ts';
import { blocksOf, documents, neededBy, placeOf, projectFolder, readDocument, treatmentOf } from './support/blocks.ts';
import { commandsOf, optionsOf } from './support/commands.ts';
import { differencesOfForm } from './support/same-form.ts';

const blocks = documents.flatMap(blocksOf);
const { scripts } = JSON.parse(readFileSync(join(projectFolder, 'package.json'), 'utf8')) as {
  scripts: Record<string, string>;
};
/** Commands of the blocks that are looked up in place of being run. */
const lookedUp = blocks
  .filter((block) => ['start', 'aws', 'long'].includes(treatmentOf(block) ?? ''))
  .flatMap((block) => commandsOf(block.text).map((command) => ({ command, place: placeOf(block) })));

describe('the blocks of the documents', () => {
  test('are of a kind that is run, or held to what it says in another way', () => {
    const unknown = blocks.filter((block) => treatmentOf(block) === null);
    expect(unknown.map((block) => `${placeOf(block)}: ${[block.language, ...block.marks].join(' ')}`)).toEqual([]);
  });

  test('have above them what they need beyond Node.js, a shell and curl', () => {
    const programs = ['psql', 'zstd', 'jq', 'aws', 'pg_dump', 'uuidgen', 'createdb'];
    const silent = blocks
      .filter((block) => ['run', 'start', 'aws', 'long'].includes(treatmentOf(block) ?? '') && block.language === 'sh')
      .flatMap((block) => {
        const used = commandsOf(block.text).map(([first = '']) => first);
        const needed = [...new Set(used.filter((name) => programs.includes(name)))];
        const undeclared = needed.filter((name) => name !== 'aws' && !neededBy(block).includes(name));
        const unsaid = needed.filter((name) => name !== 'aws' && !block.above.includes(`\`${name}\``));
        return [
          ...undeclared.map((name) => `${placeOf(block)}: ${name} is not in its info string (needs=${name})`),
          ...unsaid.map((name) => `${placeOf(block)}: the paragraph above does not name \`${name}\``),
        ];
      });
    expect(silent).toEqual([]);
  });

  test('write no file into the clone that git would show as new', () => {
    const ignored = readFileSync(join(projectFolder, '.gitignore'), 'utf8').split('\n');
    const written = blocks
      .filter((block) => ['run', 'start', 'aws'].includes(treatmentOf(block) ?? '') && block.language === 'sh')
      // The guide for restores by hand works in a folder of its own.
      .filter((block) => !placeOf(block).includes('restore-by-hand'))
      .flatMap(({ text }) =>
        [...text.matchAll(/(?:\btee|[^\S\n]-o|>) ([\w-]+\.[\w.]+)$/gm)].map(([, name]) => `/${name}`),
      );
    expect(written).toEqual(expect.arrayContaining(['/backup.json', '/masked.json', '/secret.json', '/shop.sql.gz']));
    expect(written.filter((name) => !ignored.includes(name))).toEqual([]);
  });

  test.each(
    blocks.filter((block) => treatmentOf(block) === 'configuration').map((block) => [placeOf(block), block.text]),
  )('%s is a part of a configuration that can be deployed', (place, text) => {
    const shop = {
      id: 'shop',
      host: 'shop.example.com',
      name: 'shop',
      login: { type: 'secret', secret_arn: 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:shop' },
    };
    const staging = { ...shop, id: 'staging' };
    const base = { databases: [shop, staging], region: 'eu-central-1', account: '123456789012' };
    const part = new Function('shop', 'staging', `return ({${text}});`)(shop, staging) as object;
    expect(Object.keys(part)).not.toEqual([]);
    // What is no part of a deployment is one of a database.
    const isOfDeployment = Object.keys(part).every((name) => name in deploymentSchema.shape);
    const whole = isOfDeployment ? { ...base, ...part } : { ...base, databases: [{ ...shop, ...part }] };
    expect(() => checkDeployment(whole, place)).not.toThrow();
  });
});

describe('commands that are not run', () => {
  test('of AWS are operations with such parameters', async () => {
    const wrong = await Promise.all(
      lookedUp
        .filter(({ command: [first] }) => first === 'aws')
        .map(async ({ command, place }) => (await unknownToAws(command)).map((problem) => `${place}: ${problem}`)),
    );
    expect(wrong.flat()).toEqual([]);
    expect(await unknownToAws(['aws', 'kms', 'replicate-keys'])).toEqual(['aws kms replicate-keys does not exist']);
    expect(await unknownToAws(['aws', 'kms', 'replicate-key', '--to', 'x'])).toEqual([
      'aws kms replicate-key has no --to',
    ]);
  });

  test('are programs that a reader has', () => {
    const known = ['npm', 'npx', 'aws', 'git', 'echo', 'rm', 'psql'];
    const others = lookedUp.filter(({ command: [first = ''] }) => !known.includes(first));
    expect(others.map(({ command, place }) => `${place}: ${command.join(' ')}`)).toEqual([]);
  });
});

test('every script of package.json that a document names is there', () => {
  const missing = documents.flatMap((document) =>
    [...readDocument(document).matchAll(/npm run (?:-s )?([a-z][\w:-]*)/g)]
      .filter(([, name = '']) => !(name in scripts))
      .map(([text]) => `${document}: ${text}`),
  );
  expect(missing).toEqual([]);
});

test('every option of npm start that a document names is there', () => {
  const usage = readFileSync(join(projectFolder, 'local/start.ts'), 'utf8');
  const missing = documents.flatMap((document) =>
    [...readDocument(document).matchAll(/npm start -- ([^`\n]*)/g)].flatMap(([text, options = '']) =>
      optionsOf(options.split(/\s+/))
        .filter((option) => !usage.includes(`'${option}'`) && !usage.includes(`${option}:`))
        .map((option) => `${document}: ${text}: no --${option}`),
    ),
  );
  expect(missing).toEqual([]);
});

test('an answer that a document shows may differ in ids, times and numbers alone', () => {
  const shown = {
    id: 'job-01JZ8Q4F7M3N5P6R8S9T0V1W2X',
    status: 'succeeded',
    rows: 5,
    warnings: [],
    at: '2026-01-01T00:00:00Z',
  };
  const given = {
    id: 'job-01K08Q4F7M3N5P6R8S9T0V1W2X',
    status: 'succeeded',
    rows: 7,
    warnings: ['x'],
    at: '2026-03-01T09:00:01.5Z',
  };
  expect(differencesOfForm(shown, { ...given, more: 1 })).toEqual([]);
  expect(differencesOfForm(shown, { ...given, status: 'failed', rows: null })).toEqual([
    'answer.status is "failed", shown as "succeeded"',
    'answer.rows is no number',
  ]);
  expect(differencesOfForm({ items: [{ a: true }] }, { items: [] })).toEqual(['answer.items is empty']);
  expect(differencesOfForm({ a: 1 }, {})).toEqual(['answer.a is not there']);
});

describe('links', () => {
  const slug = (heading: string): string =>
    heading
      .toLowerCase()
      .replaceAll(/[`*]|\[([^\]]*)\]\([^)]*\)/g, '$1')
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replaceAll(' ', '-');
  const anchorsOf = (document: string): string[] =>
    [...readDocument(document).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => slug(heading));

  test.each(documents)('of %s lead to files and headings that are there', (document) => {
    const text = readDocument(document).replaceAll(/^( *)```.*?^\1```$/gms, '');
    const broken = [...text.matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, target = '']) => {
      if (/^https?:/.test(target)) return [];
      const [path = '', anchor] = target.split('#');
      const file = path === '' ? document : join(document, '..', path);
      if (!existsSync(join(projectFolder, file))) return [`${target}: no such file`];
      return anchor === undefined || anchorsOf(file).includes(anchor) ? [] : [`${target}: no such heading`];
    });
    expect(broken).toEqual([]);
  });
});
