import type { Outcome } from './fault.ts';

/** Fault, seconds until its message, exit code and the message, as a table for people. */
export function tableOf(rows: readonly { name: string; outcome: Outcome }[]): string {
  const width = Math.max(...rows.map(({ name }) => name.length));
  const lines = rows.flatMap(({ name, outcome: { seconds, exitCode, printed } }) => {
    const [first = '', ...more] = messageOf(printed);
    const indent = ' '.repeat(width + 18);
    return [
      `${name.padEnd(width)}  ${seconds.toFixed(1).padStart(6)} s  ${String(exitCode).padStart(4)}  ${first}`,
      ...more.map((line) => `${indent}${line}`),
    ];
  });
  return [`${'fault'.padEnd(width)}  seconds  exit  message`, ...lines].join('\n');
}

/** Without what npm says of the script, and the usage after it. */
const messageOf = (printed: string): string[] =>
  printed
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.startsWith('> '))
    .slice(0, 2);
