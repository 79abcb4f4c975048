import { DeleteCommand, GetCommand, PutCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import type { DownloadFile } from '../contract/schemas/download.ts';
import {
  type Job,
  type JobError,
  jobIdSchema,
  jobSchema,
  type Progress,
  type Swap,
  type Unfinished,
} from '../contract/schemas/job.ts';
import type { ValidationReport } from '../contract/schemas/validation.ts';
import { OperationError } from '../errors.ts';
import { type Page, type PageRequest, queryPage } from './pages.ts';
import { type StateTable, setExpression, wasWritten } from './table.ts';

/** What there is to say of a job that begins; the rest follows. */
export type NewJob = Pick<Job, 'id' | 'kind' | 'database' | 'requested_by' | 'backup_id' | 'target_database'> &
  Partial<Pick<Job, 'environment' | 'resumes' | 'validation'>>;

/** States of a job that may still change. An ended job never does. */
const OPEN: readonly Job['status'][] = ['queued', 'running'];

export const unknownJob = (id: string): OperationError =>
  new OperationError('unknown_job', `There is no job ${id}`, 'List the jobs with GET jobs.');

export function isEnded(job: Pick<Job, 'status'>): boolean {
  return !OPEN.includes(job.status);
}

export interface JobStore {
  create(job: NewJob): Promise<Job>;
  /** @throws OperationError `unknown_job` */
  get(id: string): Promise<Job>;
  find(id: string): Promise<Job | null>;
  /** @throws OperationError `invalid_cursor` */
  list(request: PageRequest & { database: string }): Promise<Page<Job>>;
  /**
   * Marks a queued job as running; again for a running one is no change.
   *
   * @returns false when it was cancelled meanwhile
   * @throws OperationError `job_ended`, when it ended otherwise: the work must not begin
   */
  start(id: string): Promise<boolean>;
  /** @returns false when the job does not run (any more), and nothing is changed */
  reportProgress(id: string, progress: Progress): Promise<boolean>;
  /** @returns false when the job had ended already; likewise below */
  succeed(
    id: string,
    outcome: { warnings: readonly string[]; swap?: Swap | null; download?: DownloadFile | null },
  ): Promise<boolean>;
  /** @param from - the states in which it may fail; by default any open one */
  fail(id: string, error: JobError, from?: readonly Job['status'][], unfinished?: Unfinished | null): Promise<boolean>;
  /** Marks a job as ended by a cancellation. */
  cancel(id: string, from?: readonly Job['status'][]): Promise<boolean>;
  /** Asks a running job to end. Again is no change. @returns false when it does not run */
  requestCancel(id: string): Promise<boolean>;
  /** Notes that nothing is kept of a failed restore any more. */
  forgetUnfinished(id: string): Promise<boolean>;
  /** Notes at a restore that succeeded which of its two databases is in place. */
  recordSwap(id: string, swap: Swap): Promise<boolean>;
  /** Notes at a running validation what it has found. @returns false when the job does not run (any more) */
  recordValidation(id: string, validation: ValidationReport): Promise<boolean>;
  /** The file that a download has made is gone. @returns false when the job made none */
  forgetDownload(id: string): Promise<boolean>;
  /** Removes a job for good; for jobs that came to nothing, and tests. */
  remove(id: string): Promise<void>;
}

export const jobKey = (id: string): { pk: string; sk: string } => ({ pk: `JOB#${id}`, sk: 'JOB' });

/** A job as it is when it begins. */
export function queuedJob(job: NewJob, now: Date = new Date()): Job {
  return {
    environment: null,
    swap: null,
    resumes: null,
    unfinished: null,
    download: null,
    validation: null,
    cancel_requested_at: null,
    ...job,
    status: 'queued',
    created_at: now.toISOString(),
    started_at: null,
    ended_at: null,
    progress: null,
    error: null,
    warnings: [],
  };
}

/** A job as it is stored. */
export function jobItem(job: Job): Record<string, unknown> {
  return { ...jobKey(job.id), collection: `JOBS#${job.database}`, sort: job.id, ...job };
}

export function createJobStore(table: StateTable, now: () => Date = () => new Date()): JobStore {
  const find = async (id: string): Promise<Job | null> => {
    const { Item } = await table.documents.send(
      new GetCommand({ TableName: table.name, Key: jobKey(id), ConsistentRead: true }),
    );
    return Item ? jobSchema.parse(Item) : null;
  };

  /** Changes a job that is in one of the states `from`. */
  const change = (id: string, from: readonly Job['status'][], values: Partial<Job>): Promise<boolean> => {
    const set = setExpression(values);
    const states = Object.fromEntries(from.map((status) => [`:from_${status}`, status]));
    return wasWritten(
      table.documents.send(
        new UpdateCommand({
          TableName: table.name,
          Key: jobKey(id),
          ...set,
          // An absent status is in no state: a job that is not there is not made.
          ConditionExpression: `#status IN (${Object.keys(states).join(', ')})`,
          ExpressionAttributeNames: { ...set.ExpressionAttributeNames, '#status': 'status' },
          ExpressionAttributeValues: { ...set.ExpressionAttributeValues, ...states },
        }),
      ),
    );
  };
  const get = async (id: string): Promise<Job> => {
    const job = await find(id);
    if (!job) throw unknownJob(id);
    return job;
  };
  const end = (id: string, from: readonly Job['status'][], values: Partial<Job>): Promise<boolean> =>
    change(id, from, { ...values, ended_at: now().toISOString() });

  return {
    async create(input) {
      const job = queuedJob(input, now());
      await table.documents.send(
        new PutCommand({ TableName: table.name, Item: jobItem(job), ConditionExpression: 'attribute_not_exists(pk)' }),
      );
      return job;
    },
    get,
    find,
    async list({ database, limit, cursor }) {
      const collection = `JOBS#${database}`;
      const page = await queryPage(table, { collection, keyOf: jobKey, idSchema: jobIdSchema, limit, cursor });
      return { items: page.items.map((item) => jobSchema.parse(item)), next_cursor: page.next_cursor };
    },
    async start(id) {
      if (await change(id, ['queued'], { status: 'running', started_at: now().toISOString() })) return true;
      const job = await get(id);
      if (job.status === 'cancelled') return false;
      if (!isEnded(job)) return true;
      throw new OperationError('job_ended', `The job ${id} has ended already (${job.status})`, 'Start a new one.');
    },
    reportProgress: (id, progress) => change(id, ['running'], { progress }),
    succeed: (id, { warnings, swap = null, download = null }) =>
      end(id, ['running'], { status: 'succeeded', warnings: [...warnings], swap, download, error: null }),
    recordSwap: (id, swap) => change(id, ['succeeded'], { swap }),
    fail: (id, error, from = OPEN, unfinished = null) => end(id, from, { status: 'failed', error, unfinished }),
    cancel: (id, from = OPEN) => end(id, from, { status: 'cancelled' }),
    requestCancel: (id) => change(id, ['running'], { cancel_requested_at: now().toISOString() }),
    forgetUnfinished: (id) => change(id, ['failed'], { unfinished: null }),
    recordValidation: (id, validation) => change(id, ['running'], { validation }),
    forgetDownload: (id) => change(id, ['succeeded'], { download: null }),
    async remove(id) {
      await table.documents.send(new DeleteCommand({ TableName: table.name, Key: jobKey(id) }));
    },
  };
}
