import type { BackupLocation } from '../../backup/objects/object-store.ts';

/** Everything that is stored of audit trails lies below it in the backups' bucket. */
export const AUDIT_PREFIX = 'audit/';

const RECORDS = 'records/';
const DIGESTS = 'digests/';

/** Prefix and encryption context of one chain's archive. */
export function auditLocation(chain: string): BackupLocation {
  return { prefix: `${AUDIT_PREFIX}${chain}/`, context: { audit: chain } };
}

/** The records of one object of the archive. */
export interface ArchivedRange {
  first: number;
  last: number;
  /** Sort key of the last one. */
  lastKey: string;
}

const digits = (sequence: number): string => String(sequence).padStart(12, '0');
/** A time without what a key should not have. */
const compact = (time: string): string => time.replaceAll(/[-:.]/g, '');
const fullTime = (text: string): string =>
  text.replace(/^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})(\d{3})Z$/, '$1-$2-$3T$4:$5:$6.$7Z');

export const recordsPrefix = (chain: string): string => auditLocation(chain).prefix + RECORDS;
export const digestsPrefix = (chain: string): string => auditLocation(chain).prefix + DIGESTS;

/** Path of an object of the archive, below the chain's prefix; in the order of the records. */
export function archivePath({ first, last }: Pick<ArchivedRange, 'first' | 'last'>, at: string): string {
  return `${RECORDS}${digits(first)}-${digits(last)}-${compact(at)}.jsonl.zst.enc`;
}

/** @returns null for what is no object of the archive */
export function rangeOfArchive(path: string): ArchivedRange | null {
  const [, first, last, at] = /(\d{12})-(\d{12})-(\d{8}T\d{9}Z)\.jsonl\.zst\.enc$/.exec(path) ?? [];
  if (first === undefined || last === undefined || at === undefined) return null;
  return { first: Number(first), last: Number(last), lastKey: `${fullTime(at)}#${last}` };
}

/** Path of a signed digest, below the chain's prefix; in the order in which they were signed. */
export function digestPath({ sequence, signed_at }: { sequence: number; signed_at: string }): string {
  return `${DIGESTS}${digits(sequence)}-${compact(signed_at)}.json`;
}

/** The record that a digest signs, and when it was signed; null for what is no digest. */
export function placeOfDigest(key: string): { sequence: number; signed_at: string } | null {
  const [, sequence, at] = /(\d{12})-(\d{8}T\d{9}Z)\.json$/.exec(key) ?? [];
  return sequence === undefined || at === undefined ? null : { sequence: Number(sequence), signed_at: fullTime(at) };
}
