import type { Socket } from 'node:net';
import type pg from 'pg';
import * as z from 'zod';
import { isAnswer } from './session-errors.ts';
import { sessionStateSql } from './session-state.sql.ts';

/** How long a statement may run without a byte from or to the server before the server is asked about it, in milliseconds. */
export const SILENCE_MS = 60_000;

/** How often in a row something must look lost: a reply may be on its way while the server is asked. */
const SUSPICIONS = 2;

export interface WatchedSession {
  /** Number of the server's process, as the server told it at the login; null when it told none. */
  processId: number | null;
  stream: Socket;
  /** Whether the server owes a reply. */
  isWaiting(): boolean;
}

export interface WatchOptions {
  silenceMs: number;
  /** Opens another connection to the same server, as the same role, whose queries fail when they are not answered in time. */
  open: () => Promise<pg.Client>;
}

const waitingForSource = new WeakSet<Socket>();

/** Says that the server waits for this side, which has nothing to send for now; or that this is over. */
export function noteSourceIsDue(stream: Socket, isDue: boolean): void {
  if (isDue) waitingForSource.add(stream);
  else waitingForSource.delete(stream);
}

type Verdict = 'alive' | 'suspect' | 'gone';

/**
 * Notices that a session is cut off although nobody has closed its connection: a network that lost the way says nothing, and the
 * client would wait for ever. An index that is being built says nothing for hours, too; so a session that is silent in the middle of
 * a statement is asked about over a connection of its own, and given up only when the server cannot be reached, does not have the
 * session any more, or has long replied to it. Its connection is then closed, with an error by which `isSessionLost` knows it.
 */
export function watchSession(session: WatchedSession, { silenceMs, open }: WatchOptions): void {
  const { stream, isWaiting, processId } = session;
  let seen = -1;
  let silentSince = 0;
  let suspicions = 0;
  let asking = false;

  const isSilent = (): boolean => {
    const moved = stream.bytesRead + stream.bytesWritten;
    if (isWaiting() && moved === seen && !stream.destroyed) return true;
    seen = moved;
    silentSince = performance.now();
    suspicions = 0;
    return false;
  };
  const look = async (): Promise<void> => {
    if (asking || !isSilent() || performance.now() - silentSince < silenceMs) return;
    asking = true;
    const verdict = await ask(session, open, suspicions === SUSPICIONS - 1);
    asking = false;
    if (!isSilent()) return;
    if (verdict === 'alive') {
      silentSince = performance.now();
      suspicions = 0;
      return;
    }
    suspicions += 1;
    if (verdict === 'suspect' && suspicions < SUSPICIONS) return;
    stream.destroy(new Error(`Connection terminated: session ${processId} was cut off from its server without a word`));
  };

  const timer = setInterval(() => void look(), silenceMs / 3);
  timer.unref();
  stream.once('close', () => clearInterval(timer));
}

const answerSchema = z.object({
  known: z.boolean(),
  present: z.boolean(),
  state: z.string().nullable(),
  wait_event: z.string().nullable(),
});

/** @param end - ends what is suspect on the server, too: it would keep its locks there until the server notices */
async function ask(session: WatchedSession, open: () => Promise<pg.Client>, end: boolean): Promise<Verdict> {
  let client: pg.Client | undefined;
  try {
    client = await open();
    const { processID: own } = client as unknown as { processID: number };
    const { rows } = await client.query(sessionStateSql, [session.processId, own]);
    const verdict = judge(session, answerSchema.parse(rows[0]));
    if (end && verdict === 'suspect') {
      await client.query('SELECT pg_catalog.pg_terminate_backend($1)', [session.processId]);
    }
    return verdict;
  } catch (error) {
    // A server that refuses to answer is there; only silence counts.
    return isAnswer(error) ? 'alive' : 'suspect';
  } finally {
    await client?.end().catch(() => undefined);
  }
}

function judge(
  { stream }: WatchedSession,
  { known, present, state, wait_event }: z.output<typeof answerSchema>,
): Verdict {
  if (!known) return 'alive';
  if (!present) return 'gone';
  // It waits for the next statement, so it has replied, or never heard of this one.
  if (state?.startsWith('idle')) return 'suspect';
  // It waits for bytes that we have sent, or sends some that do not come; unless it is we who are slow.
  if (wait_event === 'ClientRead' && !waitingForSource.has(stream)) return 'suspect';
  if (wait_event === 'ClientWrite' && !stream.isPaused()) return 'suspect';
  return 'alive';
}
