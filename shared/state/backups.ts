import { DeleteCommand, GetCommand, PutCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import * as z from 'zod';
import { findDatabase } from '../configuration/load.ts';
import type { RuntimeConfiguration } from '../configuration/runtime.ts';
import {
  type Backup,
  type BackupDamage,
  backupIdSchema,
  backupSchema,
  type Validation,
} from '../contract/schemas/backup.ts';
import { OperationError } from '../errors.ts';
import { type Page, type PageRequest, queryPage } from './pages.ts';
import { type StateTable, setExpression, wasWritten } from './table.ts';

export type NewBackup = Pick<Backup, 'id' | 'database' | 'backup_type' | 'custom_name' | 'job_id' | 'requested_by'> &
  Partial<Pick<Backup, 'include' | 'exclude' | 'depends_on' | 'masked' | 'sample'>>;

/** What is known of a backup once its manifest is written. */
export type BackupFacts = Pick<
  Backup,
  | 'snapshot_at'
  | 'ended_at'
  | 'expires_at'
  | 'server_version'
  | 'tables'
  | 'rows'
  | 'bytes'
  | 'stored_bytes'
  | 'objects'
> &
  Partial<Pick<Backup, 'depends_on' | 'increment' | 'incomplete'>>;

/** A backup with the jobs that are noted to read it. */
export interface CatalogEntry {
  backup: Backup;
  readers: string[];
}

export interface BackupCatalog {
  /** Lists a backup as `running`. */
  create(backup: NewBackup): Promise<Backup>;
  /** @throws OperationError `unknown_backup` */
  get(id: string): Promise<Backup>;
  find(id: string): Promise<Backup | null>;
  /** @throws OperationError `invalid_cursor` */
  list(request: PageRequest & { database: string; status?: Backup['status'] | undefined }): Promise<Page<Backup>>;
  /**
   * Lists a running backup as available; again for an available one is no change.
   *
   * @throws OperationError `backup_not_running`, when it was marked failed or deleted meanwhile
   */
  markAvailable(id: string, facts: BackupFacts): Promise<void>;
  /** @returns false when the backup does not run (any more) */
  markFailed(id: string, message: string): Promise<boolean>;
  /** Every backup of a database, newest first. */
  entries(database: string): Promise<CatalogEntry[]>;
  /** Lists a complete backup that is not listed. @returns false when there is an entry of this id, which stays as it is */
  addMissing(backup: Backup): Promise<boolean>;
  /** Notes what S3 says of a backup's manifest. */
  recordStored(id: string, stored: Pick<Backup, 'stored_at' | 'locked_until'>): Promise<void>;
  /**
   * Notes what came of a validation. One that fails makes the backup `damaged`, and takes back what an earlier drill has proven; one that
   * passes makes it available again, unless it is a drill that failed and only the objects were read now.
   */
  recordValidation(id: string, validation: Validation): Promise<void>;
  /** Notes at an available backup what speaks against it. @returns false when it is not available (any more) */
  recordDamage(id: string, damage: BackupDamage): Promise<boolean>;
  /** What was found at a damaged backup is not so any more. @returns false when something else was found meanwhile */
  recordIntact(id: string, damage: BackupDamage): Promise<boolean>;
  /** Jobs that restore or validate the backup, as far as they are noted; see `releaseRestore`. */
  restoresOf(id: string): Promise<string[]>;
  /** A restore or validation has ended: the backup may be deleted as far as that job is concerned. */
  releaseRestore(id: string, jobId: string): Promise<void>;
  /** @returns false when it is running, absent, or a restore is noted */
  markDeleting(id: string): Promise<boolean>;
  /** Takes a backup marked as deleting off the list. */
  remove(id: string): Promise<void>;
}

export const backupKey = (id: string): { pk: string; sk: string } => ({ pk: `BACKUP#${id}`, sk: 'BACKUP' });

/** Attribute (a set of job ids) that keeps a backup from being deleted while jobs read it. */
export const RESTORE_JOBS = 'restore_jobs';

const ENTRIES_PER_PAGE = 500;

/** Its manifest is written, whatever was found since. */
const COMPLETE = '#status IN (:available, :damaged)';

/** A backup as it is when its job begins. */
export function runningBackup(backup: NewBackup, now: Date = new Date()): Backup {
  return {
    include: null,
    exclude: null,
    depends_on: [],
    masked: false,
    sample: null,
    incomplete: null,
    increment: null,
    ...backup,
    status: 'running',
    created_at: now.toISOString(),
    snapshot_at: null,
    ended_at: null,
    stored_at: null,
    locked_until: null,
    expires_at: null,
    retention: null,
    server_version: null,
    tables: null,
    rows: null,
    bytes: null,
    stored_bytes: null,
    objects: null,
    last_validation: null,
    last_drill: null,
    proven_at: null,
    damage: null,
    error: null,
    progress: null,
  };
}

/** A backup as it is stored. */
export function backupItem(backup: Backup): Record<string, unknown> {
  return { ...backupKey(backup.id), collection: `BACKUPS#${backup.database}`, sort: backup.id, ...backup };
}

export function createBackupCatalog(table: StateTable, now: () => Date = () => new Date()): BackupCatalog {
  const read = async (id: string): Promise<Record<string, unknown> | undefined> => {
    const { Item } = await table.documents.send(
      new GetCommand({ TableName: table.name, Key: backupKey(id), ConsistentRead: true }),
    );
    return Item;
  };
  const find = async (id: string): Promise<Backup | null> => {
    const item = await read(id);
    return item ? backupSchema.parse(item) : null;
  };
  /** Changes a backup under a condition that may name `#status`, and each status as `:available`. */
  const change = (id: string, values: Partial<Backup>, condition: string): Promise<boolean> => {
    const set = setExpression(values);
    const named = Object.fromEntries(
      backupSchema.shape.status.options.flatMap((status) =>
        condition.includes(`:${status}`) ? [[`:${status}`, status]] : [],
      ),
    );
    return wasWritten(
      table.documents.send(
        new UpdateCommand({
          TableName: table.name,
          Key: backupKey(id),
          ...set,
          ConditionExpression: condition,
          ExpressionAttributeNames: { ...set.ExpressionAttributeNames, '#status': 'status' },
          ExpressionAttributeValues: { ...set.ExpressionAttributeValues, ...named },
        }),
      ),
    );
  };

  return {
    async create(input) {
      const backup = runningBackup(input, now());
      await table.documents.send(
        new PutCommand({
          TableName: table.name,
          Item: backupItem(backup),
          ConditionExpression: 'attribute_not_exists(pk)',
        }),
      );
      return backup;
    },
    async get(id) {
      const backup = await find(id);
      if (!backup) throw unknownBackup(id);
      return backup;
    },
    find,
    async list({ database, status, limit, cursor }) {
      const collection = `BACKUPS#${database}`;
      const page = await queryPage(table, {
        collection,
        keyOf: backupKey,
        idSchema: backupIdSchema,
        status,
        limit,
        cursor,
      });
      return { items: page.items.map((item) => backupSchema.parse(item)), next_cursor: page.next_cursor };
    },
    async markAvailable(id, facts) {
      if (await change(id, { ...facts, status: 'available', error: null }, '#status = :running')) return;
      const status = (await find(id))?.status;
      if (status === 'available') return;
      throw new OperationError(
        'backup_not_running',
        `The backup ${id} is ${status ?? 'gone'}, not running`,
        'Start a new backup.',
      );
    },
    markFailed: (id, message) =>
      change(id, { status: 'failed', error: message, ended_at: now().toISOString() }, '#status = :running'),
    async entries(database) {
      const collection = `BACKUPS#${database}`;
      const found: CatalogEntry[] = [];
      let cursor: string | undefined;
      do {
        const request = { collection, keyOf: backupKey, idSchema: backupIdSchema, limit: ENTRIES_PER_PAGE, cursor };
        const page = await queryPage(table, request);
        found.push(...page.items.map((item) => ({ backup: backupSchema.parse(item), readers: readersOf(item) })));
        cursor = page.next_cursor ?? undefined;
      } while (cursor !== undefined);
      return found;
    },
    addMissing: (backup) =>
      wasWritten(
        table.documents.send(
          new PutCommand({
            TableName: table.name,
            Item: backupItem(backup),
            ConditionExpression: 'attribute_not_exists(pk)',
          }),
        ),
      ),
    async recordStored(id, { stored_at, locked_until }) {
      await change(id, { stored_at, locked_until }, COMPLETE);
    },
    async recordValidation(id, validation) {
      const { level, outcome, ended_at } = validation;
      const isDrill = level === 'restore';
      const values: Partial<Backup> = { last_validation: validation, ...(isDrill ? { last_drill: validation } : {}) };
      if (outcome === 'failed') {
        values.proven_at = null;
        values.status = 'damaged';
        values.damage = damageOf(validation);
      }
      if (outcome === 'passed') {
        if (isDrill) values.proven_at = ended_at;
        const damage = (await find(id))?.damage ?? null;
        if (damage !== null && (isDrill || damage.found_by !== 'restore')) {
          values.status = 'available';
          values.damage = null;
        }
      }
      await change(id, values, COMPLETE);
    },
    recordDamage: (id, damage) => change(id, { status: 'damaged', damage, proven_at: null }, '#status = :available'),
    recordIntact: async (id, damage) => {
      const found = (await find(id))?.damage;
      if (found?.found_at !== damage.found_at) return false;
      return change(id, { status: 'available', damage: null }, '#status = :damaged');
    },
    restoresOf: async (id) => readersOf((await read(id)) ?? {}),
    async releaseRestore(id, jobId) {
      await wasWritten(
        table.documents.send(
          new UpdateCommand({
            TableName: table.name,
            Key: backupKey(id),
            UpdateExpression: 'DELETE #jobs :job',
            // Without it, the update would make an item of a backup that is gone.
            ConditionExpression: 'attribute_exists(pk)',
            ExpressionAttributeNames: { '#jobs': RESTORE_JOBS },
            ExpressionAttributeValues: { ':job': new Set([jobId]) },
          }),
        ),
      );
    },
    markDeleting: (id) =>
      change(
        id,
        { status: 'deleting' },
        `#status IN (:available, :damaged, :failed, :deleting) AND attribute_not_exists(${RESTORE_JOBS})`,
      ),
    async remove(id) {
      await wasWritten(
        table.documents.send(
          new DeleteCommand({
            TableName: table.name,
            Key: backupKey(id),
            ConditionExpression: '#status = :deleting',
            ExpressionAttributeNames: { '#status': 'status' },
            ExpressionAttributeValues: { ':deleting': 'deleting' },
          }),
        ),
      );
    },
  };
}

/** What a validation that failed says of its backup. */
export function damageOf({ level, ended_at, error }: Validation): BackupDamage {
  const { code = 'backup_damaged', message = 'A validation of it failed' } = error ?? {};
  return { found_at: ended_at, found_by: level, code, message };
}

/** Whether its manifest is written: it can be read, wholly or, when it is damaged, in part. */
export function isComplete({ status }: Pick<Backup, 'status'>): boolean {
  return status === 'available' || status === 'damaged';
}

function readersOf(item: Record<string, unknown>): string[] {
  const jobs = item[RESTORE_JOBS];
  return z.array(z.string()).parse(jobs instanceof Set ? [...jobs] : []);
}

/**
 * The configured database of that id, or one that is not configured any more and has backups; the first configured one when none
 * is named.
 *
 * @throws OperationError `unknown_database`
 */
export async function findListed(
  configuration: Pick<RuntimeConfiguration, 'databases'>,
  table: StateTable,
  id?: string,
): Promise<string> {
  if (id !== undefined && !configuration.databases.some((database) => database.id === id)) {
    const { items } = await createBackupCatalog(table).list({ database: id, limit: 1 });
    if (items.length > 0) return id;
  }
  return findDatabase(configuration, id).id;
}

/** What a backup was asked to be of. Only backups of the same can stand for each other. */
export type BackupScope = Pick<Backup, 'backup_type' | 'include' | 'exclude' | 'masked' | 'sample'> &
  Partial<Pick<Backup, 'incomplete'>>;

/** Whether it is complete, and of the whole database as it was: definitions and all rows, and nothing masked. */
export function isWhole({ status, ...scope }: BackupScope & Pick<Backup, 'status'>): boolean {
  return status === 'available' && isOfTheWhole(scope);
}

/** Whether it was asked to be of the whole database as it was, whatever has become of it. */
export function isOfTheWhole(scope: BackupScope): boolean {
  return scopeName(scope) === WHOLE;
}

/**
 * Whether changes can be repeated on it as far as is known. A drill that could not restore it may have met something of its server or of a
 * definition; only an object that is lost or changed ends what is built on it.
 */
export function canCarryChanges({ damage, ...backup }: BackupScope & Pick<Backup, 'status' | 'damage'>): boolean {
  return isWhole(damage?.found_by === 'restore' ? { ...backup, status: 'available' } : backup);
}

/** Of the same scope, the same text. What lacks rows does not stand for what has them. */
export function scopeName({ backup_type, include, exclude, masked, sample, incomplete = null }: BackupScope): string {
  const scope = [backup_type, include, exclude, masked, sample && [sample.percent, sample.tables]];
  return JSON.stringify(incomplete === null ? scope : [...scope, 'incomplete']);
}

const WHOLE = scopeName({ backup_type: 'full', include: null, exclude: null, masked: false, sample: null });

export function unknownBackup(id: string): OperationError {
  return new OperationError('unknown_backup', `There is no backup ${id}`, 'List the backups with GET backups.');
}
