import {
  type HolderAnswer,
  type HolderEvent,
  holderAnswerSchema,
  type LaneAnswer,
  type LaneEvent,
  laneAnswerSchema,
} from '../backup/distributed/events.ts';
import type { PlannedExport, StoredDefinitions } from '../backup/distributed/plan-export.ts';
import type { JobError, NewJobError } from '../contract/schemas/job.ts';
import { isRetryable } from '../core/errors/kinds.ts';
import type { Track } from '../state/exports.ts';
import {
  type DistributedSteps,
  FUNCTION_ENDED,
  goOnAfresh,
  type Outcome,
  repeatAttempts,
  runStep,
} from './attempts.ts';
import { bookkeep } from './bookkeeping.ts';
import { CANCELLED } from './cancellation.ts';
import { invokeWhenFree } from './throttling.ts';
import { NO_TURN, waitForTurn } from './turns.ts';

/** What a distributed backup needs from the world; see functions/backup.ts. Each runs in a step of its own. */
export interface DistributedWork<Result> {
  /** Function that holds the snapshot, and one that exports a share, each with an alias or version. */
  holderFunction: string;
  laneFunction: string;
  /** Takes places for workers. @returns how many may export at the same time; null: not even one */
  takeWorkers(): Promise<number | null>;
  begin(exportId: string): Promise<void>;
  /** @param workers - at most so many */
  plan(exportId: string, workers: number): Promise<PlannedExport>;
  define(exportId: string): Promise<StoredDefinitions>;
  divide(exportId: string, round: number): Promise<{ left: number; exported: number }>;
  finish(exportId: string, definitions: StoredDefinitions): Promise<Result>;
  /** Nobody is to hold the snapshot any more, for a reason that its users are to be told. */
  giveUp(exportId: string, error: JobError): Promise<void>;
  /** Lets holders and lanes end. */
  end(exportId: string): Promise<void>;
}

/** One attempt at a distributed backup. */
export interface DistributedAttempt {
  /** Unique within the durable execution; begins the names of its steps. */
  name: string;
  exportId: string;
  /** Durable operations that it may take, about. */
  operations: number;
}

export type DistributedOutcome<Result> = Outcome<Result> & {
  /** Durable operations that it took, about. */
  operations: number;
};

/** Of an attempt's operations: what the tracks of holders may take; the rest is for rounds of lanes. */
const TRACKS_SHARE = 0.25;
/** In a row, without a holder that answers: then another one would not either. Meanwhile the other track holds. */
const DEATH_WAIT_SECONDS = [1, 10, 30];
const LANE_TRIES = 3;
const LANE_WAIT_SECONDS = [1, 10];
/** Rounds in a row in which no lane got anything done. */
const MAX_IDLE_ROUNDS = 2;

/** Without the snapshot there is nothing to go on with. */
const isRetryableInSnapshot = (error: JobError): boolean => isRetryable(error, 'within');

/**
 * Makes a backup with many invocations: two tracks of holders keep one snapshot, lanes export in rounds, and what a round leaves
 * is divided anew. However it ends, holders and lanes have ended before it returns.
 */
export async function exportDistributed<Result>(
  steps: DistributedSteps,
  attempt: DistributedAttempt,
  work: DistributedWork<Result>,
): Promise<DistributedOutcome<Result>> {
  const { name, exportId, operations } = attempt;
  const workers = await waitForTurn(steps, name, () => work.takeWorkers(), await takeAtOnce(steps, name, work));
  if (workers === null) return { status: 'failed', error: NO_TURN, operations: 1 };
  const begun = await runStep(steps, `${name}-begin`, () => work.begin(exportId));
  if (begun.status === 'failed') return { ...begun, operations: 1 };
  const turns = Math.floor((operations * TRACKS_SHARE) / 2);
  type Branch = { operations: number; outcome: Outcome<Result> | null };
  const branches = await steps.parallel<Branch>(name, [
    async (branch) => ({ operations: await keepTrack(branch, work, exportId, 'a', turns), outcome: null }),
    async (branch) => ({ operations: await keepTrack(branch, work, exportId, 'b', turns), outcome: null }),
    async (branch) => {
      // Planning gets an invocation of its own: in this one, the export was tried already.
      await goOnAfresh(branch, `${name}-afresh`);
      const { operations: used, ...outcome } = await planAndExport(branch, attempt, workers, work);
      await runStep(branch, `${name}-end`, () => work.end(exportId));
      return { operations: used, outcome };
    },
  ]);
  const outcome = branches.map((branch) => branch.outcome).find((each) => each !== null);
  const used = branches.reduce((sum, branch) => sum + branch.operations, 6);
  return { ...(outcome ?? { status: 'failed', error: FUNCTION_ENDED }), operations: used };
}

const takeAtOnce = <Result>(steps: DistributedSteps, name: string, work: DistributedWork<Result>) =>
  bookkeep(steps, `${name}-workers`, () => work.takeWorkers());

/** Keeps one track of holders going until the snapshot is not needed any more. @returns the operations that took */
async function keepTrack<Result>(
  steps: DistributedSteps,
  work: DistributedWork<Result>,
  exportId: string,
  track: Track,
  turns: number,
): Promise<number> {
  let deaths = 0;
  let operations = 0;
  for (let turn = 1; turn <= turns; turn++) {
    operations += 1;
    const event: HolderEvent = { export_id: exportId, track };
    const again = () => {
      operations += 2;
    };
    const answer = await invokeWhenFree(steps, `holder-${track}-${turn}`, work.holderFunction, event, again)
      .then((given): HolderAnswer => holderAnswerSchema.parse(given))
      .catch(() => null);
    if (answer?.status === 'ended') return operations;
    if (answer) {
      deaths = 0;
      continue;
    }
    const seconds = DEATH_WAIT_SECONDS[deaths];
    if (seconds === undefined) break;
    deaths += 1;
    operations += 1;
    await steps.wait(`holder-${track}-wait-${turn}`, seconds);
  }
  await runStep(steps, `holder-${track}-given-up`, () =>
    work.giveUp(exportId, deaths < DEATH_WAIT_SECONDS.length ? tooLong() : FUNCTION_ENDED),
  );
  return operations;
}

async function planAndExport<Result>(
  steps: DistributedSteps,
  { name, exportId, operations }: DistributedAttempt,
  workers: number,
  work: DistributedWork<Result>,
): Promise<DistributedOutcome<Result>> {
  const planned = await runStep(steps, `${name}-plan`, () => work.plan(exportId, workers));
  if (planned.status === 'failed') return { ...planned, operations: 1 };
  const { lanes, definitions: known } = planned.result;
  const rounds = Math.floor((operations * (1 - TRACKS_SHARE)) / (lanes + 2));
  const inSnapshot = <Each>(branch: DistributedSteps, step: string, run: () => Promise<Each>) =>
    repeatAttempts(branch, step, (number) => runStep(branch, `${step}-${number}`, run), isRetryableInSnapshot);
  /** What fails alone ends the other one as well. */
  const orEnd = async <Each>(branch: DistributedSteps, outcome: Outcome<Each>): Promise<Outcome<Each>> => {
    if (outcome.status === 'failed') await runStep(branch, `${name}-stop`, () => work.end(exportId));
    return outcome;
  };
  type Part = { definitions: Outcome<StoredDefinitions> } | { rows: Outcome<null>; operations: number };
  const parts = await steps.parallel<Part>(`${name}-export`, [
    async (branch) => ({
      definitions: known
        ? { status: 'done', result: known }
        : await orEnd(branch, await inSnapshot(branch, `${name}-definitions`, () => work.define(exportId))),
    }),
    async (branch) => {
      const rows = await exportRounds(branch, work, exportId, lanes, rounds, (round) =>
        inSnapshot(branch, `divide-${round}`, () => work.divide(exportId, round)),
      );
      return { rows: await orEnd(branch, rows.outcome), operations: rows.operations };
    },
  ]);
  const used = parts.reduce((sum, part) => sum + ('operations' in part ? part.operations : 2), 4);
  const failures = parts.flatMap((part) => {
    const outcome: Outcome<unknown> = 'rows' in part ? part.rows : part.definitions;
    return outcome.status === 'failed' ? [outcome.error] : [];
  });
  if (failures.length > 0) return { status: 'failed', error: causeOf(failures), operations: used };
  const definitions = parts.flatMap((part) =>
    'definitions' in part && part.definitions.status === 'done' ? [part.definitions.result] : [],
  )[0] as StoredDefinitions;
  const finished = await inSnapshot(steps, `${name}-finish`, () => work.finish(exportId, definitions));
  return { ...finished, operations: used };
}

async function exportRounds<Result>(
  steps: DistributedSteps,
  work: DistributedWork<Result>,
  exportId: string,
  lanes: number,
  rounds: number,
  divide: (round: number) => Promise<Outcome<{ left: number; exported: number }>>,
): Promise<{ outcome: Outcome<null>; operations: number }> {
  let operations = 0;
  let idle = 0;
  for (let round = 1; round <= rounds; round++) {
    const answers = await steps.parallel(
      `round-${round}`,
      Array.from(
        { length: lanes },
        (_, lane) => (branch: DistributedSteps) => runLane(branch, work, { export_id: exportId, round, lane }),
      ),
    );
    operations += answers.reduce((sum, answer) => sum + answer.operations, 2);
    const failures = answers.flatMap(({ answer }) => (answer.status === 'failed' ? [answer.error] : []));
    if (failures.length > 0) return { outcome: { status: 'failed', error: causeOf(failures) }, operations };
    if (answers.every(({ answer }) => answer.status === 'exported' && answer.left === 0)) {
      return { outcome: { status: 'done', result: null }, operations };
    }
    const divided = await divide(round);
    if (divided.status === 'failed') return { outcome: divided, operations };
    if (divided.result.left === 0) return { outcome: { status: 'done', result: null }, operations };
    idle = divided.result.exported === 0 ? idle + 1 : 0;
    if (idle === MAX_IDLE_ROUNDS) return { outcome: { status: 'failed', error: noProgress() }, operations };
  }
  return { outcome: { status: 'failed', error: tooLong() }, operations };
}

/** Has one lane work on its share, and again alone when it was ended or met a passing cause. */
async function runLane<Result>(
  steps: DistributedSteps,
  work: DistributedWork<Result>,
  event: LaneEvent,
): Promise<{ answer: LaneAnswer; operations: number }> {
  const name = `lane-${event.round}-${event.lane}`;
  let operations = -1;
  const again = () => {
    operations += 2;
  };
  for (let tries = 1; ; tries++) {
    operations += 2;
    const answer = await invokeWhenFree(steps, `${name}-${tries}`, work.laneFunction, event, again)
      .then((given): LaneAnswer => laneAnswerSchema.parse(given))
      .catch((): LaneAnswer => ({ status: 'failed', error: FUNCTION_ENDED }));
    if (answer.status === 'exported') return { answer, operations };
    // What a lane has stored is kept, and the snapshot is there.
    if (!isRetryable(answer.error, 'piece') || tries === LANE_TRIES) {
      // The others need not go on.
      await runStep(steps, `${name}-stop`, () => work.end(event.export_id));
      return { answer, operations };
    }
    await steps.wait(`${name}-wait-${tries}`, LANE_WAIT_SECONDS[tries - 1] ?? 10);
  }
}

/** Of several failures the one that the others follow from. */
function causeOf(failures: readonly JobError[]): JobError {
  const [first] = failures;
  const cancelled = failures.find(({ code }) => code === CANCELLED);
  return cancelled ?? failures.find(({ code }) => code !== 'export_over') ?? first ?? FUNCTION_ENDED;
}

const tooLong = (): NewJobError => ({
  code: 'export_too_long',
  message: 'The backup would take more invocations than one durable execution allows',
  next_step: 'Raise backups.lanes or backups.connections, or back up schemas or tables one by one.',
});

const noProgress = (): NewJobError => ({
  code: 'export_stands_still',
  message: 'In two rounds, no lane got a single chunk done within its invocation',
  next_step:
    'Lower backups.chunk_bytes, give the functions more time or memory, or look for what slows the server down.',
});
