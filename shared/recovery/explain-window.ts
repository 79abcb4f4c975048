import type { RecoveryWindow } from '../changes/window/recovery-window.ts';
import type { Backup } from '../contract/schemas/backup.ts';
import type { Job } from '../contract/schemas/job.ts';
import type { RecoveryWindowAnswer } from '../contract/schemas/recovery.ts';
import type { Recovery } from '../state/recovery.ts';
import { nextTry } from './ensure-base.ts';

/** What is known of a window when it is explained. */
export interface WindowFacts {
  recovery: Recovery | null;
  window: RecoveryWindow | null;
  /** The window of an earlier slot, where the one that is captured has none. */
  earlier: RecoveryWindow | null;
  /** Whether a change of definitions keeps moments after `window.latest` from being restored. */
  isEnded: boolean;
  /** What keeps recovery from being turned on, while it is off. */
  problems: number;
  /** The newest full backup that can be what the window waits for, with its job; null while none has been begun. */
  candidate: { backup: Backup; job: Job | null } | null;
  /** Minutes between two runs of the capture. */
  captureMinutes: number;
  now: Date;
}

type Explained = Pick<RecoveryWindowAnswer, 'phase' | 'explanation' | 'base_job' | 'next'>;

/**
 * Says which step point-in-time recovery is at, why what is null is null, and what comes next and when.
 *
 * @returns `next`: null where nothing happens by itself, or nothing is left to be waited for
 */
export function explainWindow(facts: WindowFacts): Explained {
  const { recovery, problems } = facts;
  if (!recovery) return off(problems, facts.earlier);
  if (recovery.closed) return closed(recovery, facts);
  if (recovery.pausing) return pausing(recovery.pausing, facts);
  const { phase, text } = phaseOf(recovery, facts);
  if (!recovery.base_wanted) {
    if (facts.window) return { phase, explanation: text, base_job: null, next: capture(facts) };
    const explanation = `${text} None is begun by itself, as there has been one: take another with POST backups and {"backup_type": "full"}.`;
    return { phase, explanation, base_job: null, next: null };
  }
  const wanted = waitForBackup(recovery, facts);
  // While it is open, moments come with every capture as well, but for those after what ended it.
  return { ...wanted, ...(phase === 'open' ? { phase } : {}), explanation: `${text} ${wanted.explanation}` };
}

function off(problems: number, earlier: RecoveryWindow | null): Explained {
  const explanation =
    problems === 0
      ? 'Point-in-time recovery is off: no changes are kept. PUT recovery with {"enabled": true} turns it on.'
      : 'Point-in-time recovery is off, and cannot be turned on before what `problems` names is put right.';
  return { phase: 'off', explanation: `${explanation}${before(earlier)}`, base_job: null, next: null };
}

/** What an earlier window still gives. */
function before(earlier: RecoveryWindow | null): string {
  return earlier === null
    ? ''
    : ` Moments from ${earlier.earliest} until ${earlier.latest.time}, which were captured before, can be restored as long as their backups are listed.`;
}

function closed({ closed: ended, renew_at: at }: Recovery, { window, earlier }: WindowFacts): Explained {
  const until = window
    ? `Moments from ${window.earliest} until ${window.latest.time} can still be restored.`
    : `No moment was captured since it was turned on last that can be restored.${before(earlier)}`;
  const isPaused = ended?.code === 'paused';
  const what = isPaused
    ? 'Nothing of it is on the server, and nothing is captured. When the upgrade is over, PUT recovery with {"status": "on"} begins a new window with a full backup.'
    : at === null
      ? `It does not begin again by itself${ended?.code === 'slot_dropped_by_others' ? ', as the slot may have been dropped on purpose. When it may be there again, run' : ': put the cause right, then'} PUT recovery with {"enabled": true}.`
      : `A run makes a slot again at ${at}, or within a minute or two after; a full backup follows.`;
  return {
    phase: isPaused ? 'paused' : 'closed',
    explanation: `The capture ended at ${ended?.at}: ${ended?.reason}. ${until} ${what}`,
    base_job: null,
    next: at === null ? null : { step: 'slot', due_at: at },
  };
}

function pausing({ since, by }: NonNullable<Recovery['pausing']>, facts: WindowFacts): Explained {
  const explanation = `${by} asked at ${since} to pause it for an upgrade. A run captures what has been committed, then drops the slot and the event triggers; the upgrade can begin when this says "paused". PUT recovery with {"status": "on"} keeps it on.`;
  return { phase: 'pausing', explanation, base_job: null, next: { ...capture(facts), step: 'pause' } };
}

/** How far the window itself is, without what it waits for. */
function phaseOf(
  { captured_at, turned_on_at: since }: Recovery,
  { window, earlier, isEnded, captureMinutes, now }: WindowFacts,
): { phase: Explained['phase']; text: string } {
  if (!window) {
    const none =
      earlier === null
        ? 'No moment can be restored yet, as there is no full backup from after that.'
        : 'No moment from after that can be restored yet, as there is no full backup from then.';
    const text = `The replication slot is there since ${since} and keeps every change. ${none}${before(earlier)}`;
    return { phase: 'waiting_for_backup', text };
  }
  const { earliest, latest, base } = window;
  if (latest.time <= earliest && !isEnded) {
    const text = `The full backup ${base} is there, and its own moment, ${earliest}, can be restored. Later ones can be when the changes since then have been captured: by the next run, ${within(captureMinutes)}.`;
    return { phase: 'waiting_for_capture', text };
  }
  if (isEnded) {
    const text = `Moments from ${earliest} until ${latest.time} can be restored. A change of definitions, named by \`ended_by\`, keeps later ones from it until the next full backup.`;
    return { phase: 'open', text };
  }
  const late = captured_at === null || now.getTime() - Date.parse(captured_at) > LATE_RUNS * captureMinutes * MINUTE_MS;
  const text = late
    ? `Moments from ${earliest} until ${latest.time} can be restored. No run has stored everything since ${captured_at ?? since}, although one comes ${every(captureMinutes)}: the log of capture-changes says why.`
    : `Moments from ${earliest} until ${latest.time} can be restored. A run captures what has been committed ${every(captureMinutes)}.`;
  return { phase: 'open', text };
}

function waitForBackup(recovery: Recovery, facts: WindowFacts): Explained {
  const { backup, job } = facts.candidate ?? {};
  if (backup?.status === 'running' && job) return running(backup, job, facts);
  const since = Date.parse(recovery.base_wanted?.since ?? '');
  if (backup?.status === 'available' && Date.parse(backup.created_at) >= since) {
    const isJudged = Date.parse(recovery.captured_at ?? '') > Date.parse(backup.ended_at ?? '');
    if (!isJudged || facts.window) {
      const explanation = `The next run of the capture takes the full backup ${backup.id} as the beginning.`;
      return { phase: 'waiting_for_capture', explanation, base_job: null, next: capture(facts) };
    }
    const why = `The full backup ${backup.id} cannot be the beginning: transactions that were running when the slot was made outlived it.`;
    return next(recovery, facts, why);
  }
  const hasFailed = backup?.status === 'failed' && Date.parse(backup.created_at) >= since;
  const cause = backup?.error ?? job?.error?.message;
  return next(
    recovery,
    facts,
    hasFailed ? `The full backup ${backup.id} (job ${backup.job_id}) has failed${cause ? `: ${cause}` : ''}.` : '',
  );
}

function running(backup: Backup, job: Job, { captureMinutes, now }: WindowFacts): Explained {
  const seconds = job.progress?.seconds_left ?? null;
  const how = job.status === 'queued' ? 'is about to run' : `is running, ${shareOf(job)}`;
  return {
    phase: 'backup_running',
    explanation: `The full backup ${backup.id} ${how}: job ${job.id}. When it has succeeded, the next run of the capture takes it as the beginning.`,
    base_job: { job_id: job.id, backup_id: backup.id, status: job.status, progress: job.progress },
    next: {
      step: 'capture',
      due_at: seconds === null ? null : iso(now.getTime() + seconds * 1000 + captureMinutes * MINUTE_MS),
    },
  };
}

/** @param tried - the backup that did not do */
function next(recovery: Recovery, { captureMinutes, now }: WindowFacts, tried: string): Explained {
  const { attempts, at } = nextTry(recovery, now);
  const isDue = Date.parse(at) <= now.getTime();
  const which = attempts === 0 ? 'A full backup' : 'Another full backup';
  const when = isDue ? `by the next run of the capture, ${within(captureMinutes)}` : `at ${at} or soon after`;
  const explanation = `${tried} ${which} is begun by itself ${when} (${recovery.base_wanted?.reason}).`.trim();
  const due_at = isDue ? iso(now.getTime() + captureMinutes * MINUTE_MS) : at;
  return { phase: 'waiting_for_backup', explanation, base_job: null, next: { step: 'full_backup', due_at } };
}

const MINUTE_MS = 60_000;
/** After so many times between two runs without one that has caught up, something is wrong. */
const LATE_RUNS = 5;

const iso = (at: number): string => new Date(at).toISOString();
const within = (count: number): string => (count === 1 ? 'within a minute' : `within ${count} minutes`);
const every = (count: number): string => (count === 1 ? 'every minute' : `every ${count} minutes`);

/** At the latest: when the last run began is not known. */
const capture = ({ captureMinutes, now }: WindowFacts): NonNullable<Explained['next']> => ({
  step: 'capture',
  due_at: iso(now.getTime() + captureMinutes * MINUTE_MS),
});

function shareOf({ progress }: Job): string {
  const { done = 0, total = null } = progress?.bytes ?? {};
  if (total === null || total === 0) return progress?.phase ?? 'just begun';
  return `${Math.floor((100 * Math.min(done, total)) / total)} % of its bytes`;
}
