import { commitTime } from '../decoding/decoder.ts';
import { qualifiedEnd } from '../decoding/names.ts';
import { TOLD_AT_START } from '../definitions/event-triggers.sql.ts';
import { isNeverRepeated, judgeDefinitionChange, notRepeated, obstacleOf } from '../definitions/judge.ts';
import type { DefinitionMessage } from '../definitions/message.ts';
import type { Verifier } from '../definitions/signature.ts';
import { readOwnMessage } from '../definitions/told.ts';
import type { Lsn } from '../lsn.ts';
import type { DefinitionChange, TableChanges } from '../segments/description.ts';
import { nearestTransactionId } from '../transaction-ids.ts';

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
  /** Messages that told of the beginning of a command which changed something that lasts, by their ids. */
  begun: string[];
  /** Commands that changed definitions, as their event triggers told. */
  commands: DefinitionCommand[];
  /** Messages with this system's prefix that its event triggers did not write. */
  unauthenticated: number;
  /** What the first of them claim. */
  claims: ClaimedCommand[];
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

/** What a message claims that anybody may have written. */
export interface ClaimedCommand {
  /** The transaction that wrote it; null outside of any. */
  xid: string | null;
  /** null where it is not written as one of the event triggers. */
  claimed: { tag: string; role: string; query: string } | null;
}

/** Commands that a segment tells of to others; beyond them it still counts. */
const MOST_COMMANDS = 1000;

/** Claims that are told of; of the others the number. */
export const MOST_CLAIMS = 5;

const MOST_CLAIMED_CHARACTERS = 2000;

/** By what the messages of a slot are judged. */
export interface TallyOptions {
  verify: Verifier;
  /** A transaction number, in 64 bits, that is near those of the lines. */
  xid: bigint;
}

const NOBODYS = { kind: 'unauthenticated', claimed: null } as const;
const AT_START = new Set<string>(TOLD_AT_START);
const UNKNOWN = 'unknown';
const shortened = (text: string): string => fromBytes(text.slice(0, MOST_CLAIMED_CHARACTERS));

/** A text that holds a character for each byte of its UTF-8. */
const fromBytes = (text: string): string => Buffer.from(text, 'latin1').toString('utf8');

const COUNTS = { I: 'inserts', U: 'updates', D: 'deletes', T: 'truncates' } as const;

/**
 * Counts lines. It reads only what it counts; `decoder` is what understands every line.
 *
 * @returns the tally, and what takes the next line's head: it answers whether the line is a commit
 */
export function startTally({ verify, xid: near }: TallyOptions): { tally: Tally; add: (head: string) => boolean } {
  const tally: Tally = {
    transactions: 0,
    changes: 0,
    lastCommit: null,
    firstCommitAt: null,
    lastCommitAt: null,
    tables: new Map(),
    definitionChanges: [],
    begun: [],
    commands: [],
    unauthenticated: 0,
    claims: [],
  };
  /** Of the transaction that has not been committed yet. */
  let begin = '';
  const heard = new Set<string>();
  let definitions: Pick<DefinitionChange, 'obstacle' | 'tag' | 'definer'>[] = [];
  let commands: Pick<DefinitionCommand, 'tag' | 'role' | 'query'>[] = [];
  let beginnings: (Pick<DefinitionMessage, 'tag' | 'nested' | 'query'> & { id: string })[] = [];
  let begun: string[] = [];
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
    const number = Number(head.slice(tab + 8, head.indexOf(' ', tab + 8)));
    for (const each of definitions) tally.definitionChanges.push({ ...each, lsn, committed_at: at, xid: number });
    definitions = [];
    for (const each of commands) tally.commands.push({ ...each, lsn, committed_at: at });
    commands = [];
    tally.begun.push(...begun);
    begun = [];
    beginnings = [];
  };
  /** The message that told of the beginning of a command that ends; null where none did. */
  const beginningOf = ({ tag, nested, query }: DefinitionMessage): string | null => {
    const at = beginnings.findLastIndex((each) => each.tag === tag && each.nested === nested && each.query === query);
    const [found] = at < 0 ? [] : beginnings.splice(at, 1);
    return found?.id ?? null;
  };

  const hear = (line: string): void => {
    const own = readOwnMessage(line);
    if (!own) return;
    // Few transactions have any.
    const xid = nearestTransactionId(Number(begin.slice(begin.indexOf('\t') + 7)), near);
    const verdict = own.transactional ? verify(own.content, { xid, heard }) : NOBODYS;
    switch (verdict.kind) {
      case 'authentic':
        note(verdict.message, verdict.id);
        break;
      case 'unsigned':
        // Of temporary tables nothing but the start is told.
        if (verdict.message.event === 'start') break;
        definitions.push({ tag: verdict.message.tag, definer: null, obstacle: notRepeated(verdict) });
        break;
      case 'unknown_version':
        definitions.push({ tag: UNKNOWN, definer: null, obstacle: notRepeated(verdict) });
        break;
      case 'unauthenticated': {
        tally.unauthenticated += 1;
        if (tally.claims.length === MOST_CLAIMS) break;
        const { claimed } = verdict;
        const shown = claimed && {
          tag: shortened(claimed.tag),
          role: shortened(claimed.role),
          query: shortened(claimed.query),
        };
        tally.claims.push({ xid: own.transactional ? String(xid) : null, claimed: shown });
      }
    }
  };

  const note = (message: DefinitionMessage, id: string): void => {
    const { event, tag, nested, query, rights } = message;
    if (event === 'start') {
      beginnings.push({ id, tag, nested, query });
      return;
    }
    const role = fromBytes(message.role);
    if (event === 'end' && tally.commands.length + commands.length < MOST_COMMANDS) {
      commands.push({ tag, role, query: fromBytes(query) });
    }
    let obstacle = obstacleOf(judgeDefinitionChange(message));
    if (event === 'end' && AT_START.has(tag)) {
      const beginning = beginningOf(message);
      if (beginning !== null) begun.push(beginning);
      else obstacle ??= `The beginning of ${tag} was not captured`;
    }
    definitions.push({ tag, obstacle, definer: isNeverRepeated(tag) ? null : { role, rights: rights ?? [] } });
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
        case 'm':
          tally.changes += 1;
          hear(head.slice(at));
          return false;
        case 'B':
          begin = head;
          if (heard.size > 0) heard.clear();
          return false;
        default:
          return false;
      }
    },
  };
}
