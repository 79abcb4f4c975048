/** A command of a block: its words, quotes taken away. */
export type Command = string[];

const isAssignment = (word: string): boolean => /^(?:export|[A-Z_]+=.*)$/.test(word);

/** The simple commands of a block, those of a pipe or a list one by one; comments and assignments before them are left out. */
export function commandsOf(text: string): Command[] {
  const joined = text
    .replaceAll(/\\\n/g, ' ')
    .replaceAll(/(^|\s)#.*$/gm, '$1')
    .replaceAll(/(?:export )?\w+=\$\(/g, '\n');
  return joined
    .split(/\n|\||;|&&/)
    .map((part) => part.match(/(?:"(?:\\.|[^"])*"|'[^']*'|[^\s"'])+/g) ?? [])
    .map((words) => words.slice(words.findIndex((word) => !isAssignment(word))))
    .filter(([first = '']) => !isAssignment(first))
    .map((words) => words.map((word) => word.replaceAll(/^["'(]+|["')]+$/g, '')))
    .filter(([first]) => first !== undefined);
}

/** The options of a command, such as `region` for `--region eu-central-1`. */
export const optionsOf = (command: Command): string[] =>
  command.flatMap((word) => (/^--[a-z]/.test(word) ? [word.slice(2).replace(/=.*/, '')] : []));
