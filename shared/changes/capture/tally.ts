import { commitTime } from '../decoding/decoder.ts';
import { qualifiedEnd } from '../decoding/names.ts';
import { fillsRows, judgeDefinitionChange } from '../definitions/judge.ts';
import { readDefinitionMessage } from '../definitions/message.ts';
import type { Lsn } from '../lsn.ts';
import type { DefinitionChange, TableChanges } from '../segments/description.ts';

/** What the lines of a segment say, as they pass. */
export interface Tally {
  transactions: number;
  changes: number;
  /** End of the last commit; null before the first. */
  lastCommit: Lsn | null;
  firstCommitAt: string | null;
  lastCommitAt: string | null;
  tables: Map<string, TableChanges>;
  /** With the lower 32 bits of the transactions' numbers. */
  definitionChanges: (Omit<DefinitionChange, 'xid'> & { xid: number })[];
  /** Commands that changed definitions, as their event triggers told. */
  commands: DefinitionCommand[];
}

/** Who changed a definition, and how. */
export interface DefinitionCommand {
  tag: string;
  role: string;
  /** All that the client had sent at once. */
  query: string;
  lsn: Lsn;
  committed_at: string;
}

/** Commands that a segment tells of to others; beyond them it still counts. */
const MOST_COMMANDS = 1000;

/** A text that holds a character for each byte of its UTF-8. */
const fromBytes = (text: string): string => Buffer.from(text, 'latin1').toString('utf8');

const COUNTS = { I: 'inserts', U: 'updates', D: 'deletes', T: 'truncates' } as const;

/**
 * Counts lines. It reads only what it counts; `decoder` is what understands every line.
 *
 * @returns the tally, and what takes the next line's head: it answers whether the line is a commit
 */
export function startTally(): { tally: Tally; add: (head: string) => boolean } {
  const tally: Tally = {
    transactions: 0,
    changes: 0,
    lastCommit: null,
    firstCommitAt: null,
    lastCommitAt: null,
    tables: new Map(),
    definitionChanges: [],
    commands: [],
  };
  /** Of the transaction that has not been committed yet. */
  let definitions: (Pick<DefinitionChange, 'obstacle'> & { tag: string })[] = [];
  let commands: Pick<DefinitionCommand, 'tag' | 'role' | 'query'>[] = [];
  /** The last table seen: most lines are of the same one as the line before. */
  let last: { prefix: string; counts: TableChanges } = {
    prefix: '\0',
    counts: { table: '', inserts: 0, updates: 0, deletes: 0, truncates: 0 },
  };

  const countChange = (head: string, at: number): void => {
    tally.changes += 1;
    if (!head.startsWith(last.prefix, at)) {
      const end = qualifiedEnd(head, at + 6);
      const table = head.slice(at + 6, end);
      const counts = tally.tables.get(table) ?? { table, inserts: 0, updates: 0, deletes: 0, truncates: 0 };
      tally.tables.set(table, counts);
      // A truncation of several tables is counted for the first of them alone.
      if (head[end] === ',') {
        counts.truncates += 1;
        return;
      }
      last = { prefix: `${head.slice(at, end)}: `, counts };
    }
    const kind = COUNTS[head[at + last.prefix.length] as keyof typeof COUNTS];
    if (kind) last.counts[kind] += 1;
  };

  const commit = (head: string, tab: number): void => {
    const lsn = head.slice(0, tab);
    const at = commitTime(head.slice(head.indexOf('(at ', tab) + 4, -1));
    tally.transactions += 1;
    tally.lastCommit = lsn;
    tally.firstCommitAt ??= at;
    if (tally.lastCommitAt === null || at > tally.lastCommitAt) tally.lastCommitAt = at;
    if (tally.firstCommitAt > at) tally.firstCommitAt = at;
    const xid = Number(head.slice(tab + 8, head.indexOf(' ', tab + 8)));
    for (const each of definitions) tally.definitionChanges.push({ ...each, lsn, committed_at: at, xid });
    definitions = [];
    for (const each of commands) tally.commands.push({ ...each, lsn, committed_at: at });
    commands = [];
  };

  return {
    tally,
    add: (head) => {
      const tab = head.indexOf('\t');
      const at = tab + 1;
      switch (head[at]) {
        case 't':
          countChange(head, at);
          return false;
        case 'C':
          commit(head, tab);
          return true;
        case 'm': {
          tally.changes += 1;
          const message = readDefinitionMessage(head.slice(at));
          if (message && message.event !== 'start') {
            const { tag, role, query } = message;
            if (message.event === 'end' && tally.commands.length + commands.length < MOST_COMMANDS) {
              commands.push({ tag, role: fromBytes(role), query: fromBytes(query) });
            }
            // Whether rows had to be given values, the replay finds out.
            definitions.push({ tag, obstacle: fillsRows(message) ? null : judgeDefinitionChange(message) });
          }
          return false;
        }
        default:
          return false;
      }
    },
  };
}
