import { setTimeout as sleep } from 'node:timers/promises';
import { basePath } from '../../shared/contract/define-route.ts';
import type { Alert } from '../../shared/contract/schemas/alert.ts';
import type { LocalPostgres } from '../postgres/server.ts';
import { openTroubleSessions } from './trouble-sessions.ts';
import { type Trouble, troubleRounds } from './troubles.ts';

export type TroubleOptions = {
  readonly postgres: LocalPostgres;
  readonly apiUrl: string;
  /** Of a caller who may set thresholds. */
  readonly token: string;
  readonly note: (text: string) => void;
  readonly signal: AbortSignal;
};

/** Nothing must last before it is an alert, and nothing must stay good before it is over. */
const atOnce = { for_seconds: 0, clear_seconds: 0, hysteresis: 0 };

/** Samples are taken every 30 s; what grows with the number of tables is read every five minutes. */
const LONGEST_WAIT_MS = 420_000;
const EVERY_MS = 2_000;
const CLEARING_MS = 10_000;

/** Titles of all checks, by their names. */
type Titles = Readonly<Record<string, { title: string }>>;

/** Seconds, from the moment the trouble was made, or ended; null where that did not come about in time. */
type Course = { readonly found: number | null; readonly mailed: number | null; resolved: number | null };

/**
 * Makes each kind of trouble in the sample database, some at a time: waits until each has its alert and its mail, ends them, waits until
 * the alerts are resolved, and tells how long it took. What it has changed is as before afterwards, also when it is ended early.
 */
export async function makeTrouble({ postgres, apiUrl, token, note, signal }: TroubleOptions): Promise<void> {
  const sessions = openTroubleSessions(postgres);
  const call = async (path: string, body?: unknown, until = signal) => {
    const response = await fetch(`${apiUrl}${basePath}${path}`, {
      method: body === undefined ? 'GET' : 'PUT',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: until,
    });
    if (!response.ok) throw new Error(`${path} answered ${response.status}`);
    return (await response.json()) as { items?: Alert[]; checks?: Titles };
  };
  /** Lowers the thresholds of some kinds; of those that lie in the threshold itself only while they are wanted. */
  const setThresholds = (round: readonly Trouble[], wanted: boolean) => {
    const checks = round.map(({ check, levels, byThreshold }) => [
      check,
      wanted || !byThreshold ? { ...atOnce, levels } : atOnce,
    ]);
    return call('/alerts/thresholds', { checks: Object.fromEntries(checks) });
  };
  /** Waits until the newest alert of a check, opened since, is as wanted. */
  const untilAlert = async (
    { check }: Trouble,
    since: number,
    isWanted: (alert: Alert) => boolean,
  ): Promise<Alert | null> => {
    for (const began = Date.now(); Date.now() - began < LONGEST_WAIT_MS; ) {
      const { items = [] } = await call('/alerts?limit=100');
      const alert = items.find(({ cause, opened_at }) => cause === `check:${check}` && Date.parse(opened_at) >= since);
      if (alert && isWanted(alert)) return alert;
      await sleep(EVERY_MS, undefined, { signal });
    }
    return null;
  };
  const secondsTo = (at: string | null | undefined, from: number): number | null =>
    at ? Math.max(0, (Date.parse(at) - from) / 1000) : null;

  let titles: Titles = {};
  const titleOf = (check: string): string => titles[check]?.title ?? check;
  const courses = new Map<Trouble, Course>();
  const ends: (() => Promise<unknown>)[] = [];
  /** Ends all that was made, the last first. */
  const endAll = async (): Promise<void> => {
    for (let end = ends.pop(); end; end = ends.pop()) await end().catch(() => undefined);
  };
  const makeRound = async (round: readonly Trouble[]): Promise<void> => {
    await setThresholds(round, true);
    const began = Date.now();
    const made = new Map<Trouble, number>();
    for (const trouble of round) {
      note(`Trouble: ${trouble.says}`);
      made.set(trouble, Date.now());
      ends.push(await trouble.make(sessions));
    }
    await Promise.all(
      round.map(async (trouble) => {
        const from = made.get(trouble) ?? began;
        const alert = await untilAlert(trouble, began, ({ mail }) => mail.status !== 'waiting');
        const found = secondsTo(alert?.opened_at, from);
        // That of an alert which is over by now is the mail that says so.
        const mailed = alert?.status === 'open' ? secondsTo(alert.mail.at, from) : null;
        courses.set(trouble, { found, mailed, resolved: null });
        note(`  ${titleOf(trouble.check)}: found after ${inWords(found)}, mailed after ${inWords(mailed)}`);
      }),
    );
    const ending = Date.now();
    await endAll();
    await setThresholds(round, false);
    await Promise.all(
      round.map(async (trouble) => {
        const alert = await untilAlert(trouble, began, ({ status }) => status === 'resolved');
        const resolved = secondsTo(alert?.resolved_at, ending);
        const course = courses.get(trouble);
        if (course) course.resolved = resolved;
        note(`  ${titleOf(trouble.check)}: over, and resolved after ${inWords(resolved)}`);
      }),
    );
  };

  try {
    titles = (await call('/alerts/thresholds')).checks ?? {};
    for (const round of troubleRounds) await makeRound(round);
    note(`That was all the trouble. The mailbox has what was mailed.\n\n${table(courses, titles)}`);
  } catch (error) {
    if (!signal.aborted) note(`Trouble ended early: ${error instanceof Error ? error.message : String(error)}`);
  } finally {
    await endAll();
    await sessions.close();
    await call('/alerts/thresholds', {}, AbortSignal.timeout(CLEARING_MS)).catch(() => undefined);
  }
}

function inWords(seconds: number | null): string {
  return seconds === null ? 'no time that was seen' : `${seconds.toFixed(0)} s`;
}

/** How long each took; and what this machine has no trouble with. */
function table(courses: ReadonlyMap<Trouble, Course>, titles: Titles): string {
  const rows = [...courses].map(([{ check }, { found, mailed, resolved }]) => [
    titles[check]?.title ?? check,
    ...[found, mailed, resolved].map((seconds) => (seconds === null ? '-' : seconds.toFixed(0))),
  ]);
  const all = [['condition, seconds until it is', 'found', 'mailed', 'resolved'], ...rows];
  const lines = all.map(
    ([name = '', ...times]) => `  ${name.padEnd(48)}${times.map((time) => time.padStart(10)).join('')}`,
  );
  const made = new Set([...courses.keys()].map(({ check }) => check));
  const others = Object.entries(titles).flatMap(([check, { title }]) => (made.has(check) ? [] : [title]));
  return `${lines.join('\n')}\n\nNot made here, as they take days, a replica or AWS: ${others.join(', ')}.\n`;
}
