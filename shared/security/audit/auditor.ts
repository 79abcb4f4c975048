import { createHash } from 'node:crypto';
import type { AuditEntry, AuditOutcome, AuditRecord } from '../../contract/schemas/audit.ts';
import type { SecuritySettings } from '../../contract/schemas/security-settings.ts';
import { redact, redactText } from '../../redaction/redact.ts';
import { type AuditTable, type Chain, openChain, openShards } from './chain.ts';
import { chainOf } from './chain-names.ts';

/** Who does what to what. */
export type AuditSubject = Pick<
  AuditEntry,
  'source' | 'actor' | 'operation' | 'database' | 'target' | 'address' | 'request_id'
> & {
  /** What was asked for, kept in the record that is written before. */
  request?: unknown;
  /** Whether it is recorded even while audit is turned off. */
  always?: boolean;
  /** Fields that repeat what a database said. */
  claimed?: AuditEntry['claimed'];
};

/** What the work itself tells of a change; it is recorded when it ends. */
export interface AuditNote {
  before?: unknown;
  after?: unknown;
}

export interface AuditDependencies {
  table: AuditTable;
  /** @throws when nobody knows how they are; audit is on then */
  settings(): Promise<Pick<SecuritySettings, 'enable_audit' | 'max_audit_retention_days'>>;
  /** What became of a failure: the caller's own fault, or not. */
  judge?: (error: unknown) => { outcome: Extract<AuditOutcome, 'refused' | 'failed'>; code: string };
  /** Hears that an outcome could not be recorded: the record of the beginning stays without one, or what was read is not given out. */
  onLost?: (subject: AuditSubject, error: unknown) => void;
  /** The clock that records are dated with; by default the table's. */
  now?: () => Date;
  /** How long an append waits for its turn; see {@link openChain}. */
  patienceMs?: number;
}

export interface Auditor {
  /**
   * Does something between two records: that it begins, and how it ended. It does not begin when that cannot be recorded.
   *
   * @throws OperationError `audit_unavailable`, or what the work throws
   */
  audited<Result>(subject: AuditSubject, work: (note: AuditNote) => Promise<Result>): Promise<Result>;
  /**
   * Reads something, and gives it out once it is recorded how that ended, in one record. It changes nothing, so nothing is announced: readers
   * then need not wait for each other (see {@link openShards}).
   *
   * @throws OperationError `audit_unavailable`, or what the reading throws
   */
  observed<Result>(subject: AuditSubject, read: () => Promise<Result>): Promise<Result>;
  /**
   * Records what has happened already, in one record. Those that do so at the same time do not wait for each other.
   *
   * @returns null when audit is turned off
   * @throws OperationError `audit_unavailable`
   */
  happened(subject: AuditSubject, outcome: Happened): Promise<AuditRecord | null>;
}

export type Happened = Pick<AuditEntry, 'outcome'> &
  Partial<Pick<AuditEntry, 'error' | 'before' | 'after' | 'duration_ms'>>;

/** The archive gets a day's records each day. That it fails for a week must cost no record. */
export const LEAST_KEPT_DAYS = 8;
/** Kept while the settings cannot be read. */
const KEPT_DAYS = 90;
/** Of what was asked for, and of how a thing was before and after: beyond it a record says how much there was, and its hash. */
const MOST_BYTES = 16_384;
/** Names of operations and targets may come from elsewhere. */
const MOST_CHARACTERS = 512;

const failed: NonNullable<AuditDependencies['judge']> = (error) => {
  const { code } = error as { code?: unknown };
  return { outcome: 'failed', code: typeof code === 'string' ? code : 'internal_error' };
};

/** Writes the audit trail for what one process does. */
export function createAuditor({
  table,
  settings,
  judge = failed,
  onLost = () => undefined,
  now,
  patienceMs,
}: AuditDependencies): Auditor {
  /** What is announced is in the chain, in its order; what is told afterwards is in a shard. */
  const openers = { announced: openChain, told: openShards } as const;
  const chains = new Map<string, Chain>();
  const chain = (name: string, kind: keyof typeof openers): Chain => {
    const key = `${kind} ${name}`;
    const known = chains.get(key) ?? openers[kind](table, name, now, patienceMs);
    chains.set(key, known);
    return known;
  };
  const current = () => settings().catch(() => ({ enable_audit: true, max_audit_retention_days: KEPT_DAYS }));
  const append = (kind: keyof typeof openers, entry: AuditEntry, keepDays: number): Promise<AuditRecord> =>
    chain(chainOf(entry.database), kind).append(entry, Math.max(keepDays, LEAST_KEPT_DAYS));

  return {
    async audited(subject, work) {
      const { enable_audit: isOn, max_audit_retention_days: days } = await current();
      const note: AuditNote = {};
      if (!isOn && !subject.always) return work(note);
      const { sequence } = await append('announced', entryOf(subject, { outcome: 'started' }), days);
      const began = performance.now();
      const end = async (how: Happened): Promise<void> => {
        const { before, after } = note;
        const duration_ms = Math.round(performance.now() - began);
        const { request: _request, ...rest } = subject;
        const entry = entryOf(rest, { before, after, ...how, duration_ms });
        await append('announced', { ...entry, started_by: sequence }, days).catch((error: unknown) =>
          onLost(subject, error),
        );
      };
      let result: Awaited<ReturnType<typeof work>>;
      try {
        result = await work(note);
      } catch (error) {
        const { outcome, code } = judge(error);
        await end({ outcome, error: code });
        throw error;
      }
      await end({ outcome: 'succeeded' });
      return result;
    },
    async observed(subject, read) {
      const { enable_audit: isOn, max_audit_retention_days: days } = await current();
      if (!isOn && !subject.always) return read();
      const began = performance.now();
      const end = async (how: Happened): Promise<void> => {
        const duration_ms = Math.round(performance.now() - began);
        try {
          await append('told', entryOf(subject, { ...how, duration_ms }), days);
        } catch (error) {
          onLost(subject, error);
          throw error;
        }
      };
      let result: Awaited<ReturnType<typeof read>>;
      try {
        result = await read();
      } catch (error) {
        const { outcome, code } = judge(error);
        await end({ outcome, error: code });
        throw error;
      }
      await end({ outcome: 'succeeded' });
      return result;
    },
    async happened(subject, outcome) {
      const { enable_audit: isOn, max_audit_retention_days: days } = await current();
      return isOn || subject.always ? append('told', entryOf(subject, outcome), days) : null;
    },
  };
}

function entryOf(
  subject: AuditSubject,
  { error = null, before, after, duration_ms = null, outcome }: Happened,
): AuditEntry {
  const { source, actor, operation, database, target, address, request_id, request, claimed } = subject;
  return {
    source,
    actor: short(actor),
    operation: short(operation),
    database,
    target: target === null ? null : short(redactText(target)),
    address,
    request_id,
    outcome,
    started_by: null,
    duration_ms,
    error,
    request: fitted(request),
    before: fitted(before),
    after: fitted(after),
    ...(claimed ? { claimed } : {}),
  };
}

const short = (text: string): string => text.toWellFormed().slice(0, MOST_CHARACTERS);

function fitted(value: unknown): unknown {
  const shown = redact(value);
  const text = JSON.stringify(shown);
  const bytes = Buffer.byteLength(text);
  if (bytes <= MOST_BYTES) return shown;
  return { omitted_bytes: bytes, sha256: createHash('sha256').update(text).digest('hex') };
}
