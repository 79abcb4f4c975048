import { createHash } from 'node:crypto';
import { TransactionCanceledException } from '@aws-sdk/client-dynamodb';
import { DeleteCommand, GetCommand, TransactWriteCommand, type TransactWriteCommandInput } from '@aws-sdk/lib-dynamodb';
import * as z from 'zod';
import type { Backup } from '../contract/schemas/backup.ts';
import { type Job, jobSchema } from '../contract/schemas/job.ts';
import { OperationError } from '../errors.ts';
import { backupItem, backupKey, RESTORE_JOBS } from './backups.ts';
import { jobItem, jobKey } from './jobs.ts';
import { type StateTable, stateKeys } from './table.ts';

/**
 * A request that may come twice. Its first job is written in the same transaction as the claim on its key, so there is no
 * moment at which one exists without the other. (Powertools' idempotency layer claims a key before the work and records the
 * answer after it: a crash between the two would start a second job, and a concurrent request gets an error, not the job.)
 */
export interface Claim {
  /** Who asks for what: keys of different callers or routes are different keys. */
  scope: string;
  key: string;
  /** The request as text, as it was read: with the defaults of what it does not say. The same key with another request is refused. */
  request: string;
  /** The request as text, as it was sent, where it was sent: the same even when a later version has more defaults. */
  sent?: string;
  /** How long the claim holds; a day by default. */
  seconds?: number;
}

/** What a job begins with. */
export interface Beginning<Event> {
  job: Job;
  /** The event of its durable function. Kept with the claim, so that a repeat starts it with the very same one. */
  event: Event;
  claim?: Claim | undefined;
  /** Throws when the job must not begin; not asked for a repeated request. */
  check?: () => void;
}

export interface Begun<Event> {
  job: Job;
  event: Event;
  /** The claim was held: this is the first request's job. */
  replayed: boolean;
}

const DAY_SECONDS = 86_400;
const ATTEMPTS = 5;

// The event is kept as text: a durable function is started by its bytes, and a stored map would lose the order of its fields.
const claimSchema = z.object({
  request_hash: z.string(),
  /** Missing from claims of earlier versions. */
  sent_hash: z.string().optional(),
  job: jobSchema,
  event: z.string(),
});

type Write = NonNullable<TransactWriteCommandInput['TransactItems']>[number];

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** The job that was begun under a claim; null when there is none, or no longer. */
export async function findClaimedJob(table: StateTable, claim: Claim): Promise<string | null> {
  return (await readClaim(table, claim))?.job.id ?? null;
}

function claimKey({ scope, key }: Claim): { pk: string; sk: string } {
  return { pk: `IDEMPOTENCY#${sha256(JSON.stringify([scope, key]))}`, sk: 'IDEMPOTENCY' };
}

/** Forgets a claim whose job came to nothing, so that the request can be sent again under its key. */
export async function releaseClaim(table: StateTable, claim: Claim, jobId: string): Promise<void> {
  const release = new DeleteCommand({
    TableName: table.name,
    Key: claimKey(claim),
    ConditionExpression: 'job.id = :job',
    ExpressionAttributeValues: { ':job': jobId },
  });
  await table.documents.send(release).catch((error: unknown) => {
    if ((error as Error).name !== 'ConditionalCheckFailedException') throw error;
  });
}

/**
 * Writes a backup's job and its catalog entry, both or neither.
 *
 * @throws OperationError `idempotency_key_reused`
 */
export async function beginBackup<Event>(
  table: StateTable,
  { backup, ...beginning }: Beginning<Event> & { backup: Backup },
): Promise<Begun<Event>> {
  return begin(table, beginning, {
    Put: { TableName: table.name, Item: backupItem(backup), ConditionExpression: 'attribute_not_exists(pk)' },
  });
}

/**
 * Writes the job of a restore, a validation or a download and notes it at the backup, which from then on cannot be deleted until the
 * job has ended.
 *
 * @throws OperationError `idempotency_key_reused`, or `backup_not_available` when it is not, or of another database
 */
export async function beginRestore<Event>(table: StateTable, beginning: Beginning<Event>): Promise<Begun<Event>> {
  const { id, database, backup_id: backupId, resumes } = beginning.job;
  return begin(
    table,
    beginning,
    {
      Update: {
        TableName: table.name,
        Key: backupKey(backupId ?? ''),
        UpdateExpression: 'ADD #jobs :job',
        ConditionExpression: '#status IN (:available, :damaged) AND #database = :database',
        ExpressionAttributeNames: { '#jobs': RESTORE_JOBS, '#status': 'status', '#database': 'database' },
        ExpressionAttributeValues: {
          ':job': new Set([id]),
          ':available': 'available',
          ':damaged': 'damaged',
          ':database': database,
        },
      },
    },
    resumes === null ? undefined : takeUnfinished(table, resumes, id),
  );
}

/** Of several jobs, one gets to go on with what a failed restore has left. */
function takeUnfinished(table: StateTable, failed: string, resumedBy: string): Write {
  return {
    Update: {
      TableName: table.name,
      Key: jobKey(failed),
      UpdateExpression: 'SET #unfinished.#by = :job',
      ConditionExpression: 'attribute_type(#unfinished, :map) AND attribute_type(#unfinished.#by, :none)',
      ExpressionAttributeNames: { '#unfinished': 'unfinished', '#by': 'resumed_by' },
      ExpressionAttributeValues: { ':job': resumedBy, ':map': 'M', ':none': 'NULL' },
    },
  };
}

/** The event of a job's function as it was begun; null for a job that is not there or has none. */
export async function findEvent(table: StateTable, jobId: string): Promise<unknown> {
  const { Item } = await table.documents.send(
    new GetCommand({ TableName: table.name, Key: jobKey(jobId), ConsistentRead: true }),
  );
  return typeof Item?.event === 'string' ? JSON.parse(Item.event) : null;
}

async function begin<Event>(
  table: StateTable,
  { job, event, claim, check }: Beginning<Event>,
  backupWrite: Write,
  resumeWrite?: Write,
): Promise<Begun<Event>> {
  const writes: Write[] = [
    {
      Put: {
        TableName: table.name,
        Item: { ...jobItem(job), event: JSON.stringify(event) },
        ConditionExpression: 'attribute_not_exists(pk)',
      },
    },
    backupWrite,
    ...(resumeWrite ? [resumeWrite] : []),
    ...(claim ? [claimWrite(table, claim, { job, event: JSON.stringify(event) })] : []),
  ];
  for (let attempt = 1; ; attempt++) {
    // A repeat is answered before anything is tried: its backup may be gone, or no longer be available.
    const held = claim ? await readClaim(table, claim) : null;
    if (held) return { job: held.job, event: JSON.parse(held.event) as Event, replayed: true };
    check?.();
    try {
      await table.documents.send(new TransactWriteCommand({ TransactItems: writes }));
      return { job, event, replayed: false };
    } catch (error) {
      if (!(error instanceof TransactionCanceledException)) throw error;
      const codes = (error.CancellationReasons ?? []).map(({ Code }) => Code);
      const claimed = claim !== undefined && codes.at(-1) === 'ConditionalCheckFailed';
      if (!claimed && resumeWrite && codes[2] === 'ConditionalCheckFailed') {
        throw new OperationError(
          'not_resumable',
          `The job ${job.resumes} is being resumed, or was discarded`,
          'List the jobs with GET jobs.',
        );
      }
      if (!claimed && codes[1] === 'ConditionalCheckFailed') {
        throw new OperationError(
          'backup_not_available',
          `The backup ${job.backup_id} is not available`,
          'Choose an available backup.',
        );
      }
      const passing = claimed || codes.includes('TransactionConflict') || codes.includes('ThrottlingError');
      if (!passing || attempt === ATTEMPTS) throw error;
      if (!claimed) await new Promise((resolve) => setTimeout(resolve, 20 * 2 ** attempt * (0.5 + Math.random())));
    }
  }
}

function claimWrite(table: StateTable, claim: Claim, first: { job: Job; event: string }): Write {
  const now = Math.floor(Date.now() / 1000);
  return {
    Put: {
      TableName: table.name,
      Item: {
        ...claimKey(claim),
        request_hash: sha256(claim.request),
        ...(claim.sent === undefined ? {} : { sent_hash: sha256(claim.sent) }),
        ...first,
        [stateKeys.timeToLive]: now + (claim.seconds ?? DAY_SECONDS),
      },
      // DynamoDB removes expired items late, within days.
      ConditionExpression: 'attribute_not_exists(pk) OR #expires < :now',
      ExpressionAttributeNames: { '#expires': stateKeys.timeToLive },
      ExpressionAttributeValues: { ':now': now },
    },
  };
}

/** @throws OperationError `idempotency_key_reused` */
async function readClaim(table: StateTable, claim: Claim): Promise<{ job: Job; event: string } | null> {
  const { Item } = await table.documents.send(
    new GetCommand({ TableName: table.name, Key: claimKey(claim), ConsistentRead: true }),
  );
  if (!Item || Number(Item[stateKeys.timeToLive]) < Math.floor(Date.now() / 1000)) return null;
  const { request_hash: requestHash, sent_hash: sentHash, job, event } = claimSchema.parse(Item);
  const isAsSent = claim.sent !== undefined && sentHash === sha256(claim.sent);
  // Another spelling of the same request, such as one that says what is the default, is read as the same text.
  if (isAsSent || requestHash === sha256(claim.request)) return { job, event };
  throw new OperationError(
    'idempotency_key_reused',
    'The Idempotency-Key was used for another request',
    'Send a new key with a new request.',
  );
}
