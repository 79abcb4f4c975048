import { createInterface } from 'node:readline';

/** Somebody ended the questions: Ctrl-C, Ctrl-D, or an input that ends before the last answer. */
export class Ended extends Error {}

export interface Prompt {
  /** @throws Ended */
  ask(text: string): Promise<string>;
  say(text: string): void;
  close(): void;
}

/** Asks on a terminal, or reads line by line what is piped in. */
export function openPrompt(input: NodeJS.ReadableStream, output: NodeJS.WritableStream): Prompt {
  const lines = createInterface({ input, output });
  const waiting: string[] = [];
  let asked: { resolve: (line: string) => void; reject: (reason: Ended) => void } | null = null;
  let isOver = false;
  const end = () => {
    isOver = true;
    asked?.reject(new Ended('The questions were ended'));
  };
  lines.on('line', (line) => {
    // An input that is piped in is ahead of the questions.
    if (asked) asked.resolve(line);
    else waiting.push(line);
    asked = null;
  });
  lines.on('SIGINT', end);
  lines.on('close', end);
  return {
    async ask(text) {
      output.write(text);
      const line = waiting.shift();
      if (line !== undefined) return line;
      if (isOver) throw new Ended('The questions were ended');
      return new Promise<string>((resolve, reject) => {
        asked = { resolve, reject };
      });
    },
    say: (text) => output.write(`${text}\n`),
    close: () => lines.close(),
  };
}
