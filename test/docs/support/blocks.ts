import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const projectFolder = join(import.meta.dirname, '../../..');

/** A fenced block of a document. */
export interface Block {
  /** Path of the document within the project. */
  document: string;
  /** Of its first line. */
  line: number;
  /** First word of the info string; empty where there is none. */
  language: string;
  /** The other words: `aws`, `start`, `needs=psql`. */
  marks: readonly string[];
  text: string;
  /** The paragraph right above it. */
  above: string;
}

/**
 * The documents that people read, README first. Decisions are for those who change the system; they hold no commands.
 */
export const documents: readonly string[] = [
  'README.md',
  ...['docs', 'docs/platforms'].flatMap((folder) =>
    readdirSync(join(projectFolder, folder))
      .filter((name) => name.endsWith('.md'))
      .sort()
      .map((name) => `${folder}/${name}`),
  ),
  'CONTRIBUTING.md',
  'bench/README.md',
];

export const readDocument = (document: string): string => readFileSync(join(projectFolder, document), 'utf8');

/** The fenced blocks of a document, in their order, without the indentation of a list that they stand in. */
export function blocksOf(document: string): Block[] {
  const text = readDocument(document);
  return [...text.matchAll(/^( *)```([^\n`]*)\n(.*?)^\1```$/gms)].map((match) => {
    const [, indentation = '', info = '', body = ''] = match;
    const [language = '', ...marks] = info.trim().split(/\s+/);
    const before = text.slice(0, match.index);
    return {
      document,
      line: before.split('\n').length,
      language,
      marks,
      text: body.replaceAll(new RegExp(`^${indentation}`, 'gm'), ''),
      above:
        before
          .trimEnd()
          .split(/\n\s*\n/)
          .at(-1) ?? '',
    };
  });
}

/** Where a block is, for messages. */
export const placeOf = ({ document, line }: Block): string => `${document}:${line}`;

/** Names of the programs that a block needs beyond Node.js, npm, curl and a shell. */
export const neededBy = ({ marks }: Block): string[] =>
  marks.flatMap((mark) => (mark.startsWith('needs=') ? mark.slice('needs='.length).split(',') : []));

/** What becomes of a block in the tests. */
export type Treatment = 'run' | 'start' | 'aws' | 'long' | 'by hand' | 'configuration' | 'answer' | 'text' | null;

/**
 * How a block is held to what it says. Nothing is passed over by default: a block of another kind fails the tests.
 *
 * - `sh` and `sql` are run against a system that `npm start` has started, in their order;
 * - `sh start` starts that system or runs the tests; `sh aws` needs an account of AWS; `sh long` takes long: their programs, operations and options are looked up;
 * - `bash` is for docs/restore-by-hand.md, which has a test of its own;
 * - `ts` is a part of a configuration; `json` is what the block above it answers; `text` is nothing to run.
 */
export function treatmentOf({ document, language, marks }: Block): Treatment {
  const [mark] = marks.filter((each) => !each.startsWith('needs='));
  if (language === 'sh' && mark === undefined) return 'run';
  if (language === 'sh' && (mark === 'start' || mark === 'aws' || mark === 'long')) return mark;
  if (mark !== undefined) return null;
  if (language === 'bash') return document === 'docs/restore-by-hand.md' ? 'by hand' : null;
  if (language === 'sql') return 'run';
  if (language === 'ts') return 'configuration';
  if (language === 'json') return 'answer';
  return language === 'text' ? 'text' : null;
}
