import type { BackupLocation } from '../../backup/objects/object-store.ts';

/** Everything that is stored of audit trails lies below it in their bucket. */
export const AUDIT_PREFIX = 'audit/';

const RECORDS = 'records/';
/** Of former times: one a day at most, about a chain that had no shards. */
const DIGESTS = 'digests/';
const SEALS = 'seals/';

/** Prefix and encryption context of one chain's archive. */
export function auditLocation(chain: string): BackupLocation {
  return { prefix: `${AUDIT_PREFIX}${chain}/`, context: { audit: chain } };
}

/** The records of one object of the archive of former times, which has no shards. */
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

/** Path of such an object, below the chain's prefix; in the order of the records. */
export function archivePath({ first, last, lastKey }: ArchivedRange): string {
  return `${RECORDS}${digits(first)}-${digits(last)}-${compact(lastKey.slice(0, lastKey.indexOf('#')))}.jsonl.zst.enc`;
}

/** @returns null for what is no such object */
export function rangeOfArchive(path: string): ArchivedRange | null {
  const [, first, last, at] = /\/(\d{12})-(\d{12})-(\d{8}T\d{9}Z)\.jsonl\.zst\.enc$/.exec(path) ?? [];
  if (first === undefined || last === undefined || at === undefined) return null;
  return { first: Number(first), last: Number(last), lastKey: `${fullTime(at)}#${last}` };
}

/** The record that a digest of former times signs, and when it was signed; null for what is no digest. */
export function placeOfDigest(key: string): { sequence: number; signed_at: string } | null {
  const [, sequence, at] = /(\d{12})-(\d{8}T\d{9}Z)\.json$/.exec(key) ?? [];
  return sequence === undefined || at === undefined ? null : { sequence: Number(sequence), signed_at: fullTime(at) };
}

/** Which seal of a chain, and when it was made; the seals of a chain are counted from 1. */
export interface PlaceOfSeal {
  number: number;
  sealed_at: string;
}

export const sealsPrefix = (chain: string): string => auditLocation(chain).prefix + SEALS;

/** Path of a seal, below the chain's prefix; in the order of time. */
export const sealPath = ({ number, sealed_at }: PlaceOfSeal): string =>
  `${SEALS}${compact(sealed_at)}-${digits(number)}.json`;

/** What all seals from a time on come after, in a listing. */
export const sealsFrom = (chain: string, time: Date): string => sealsPrefix(chain) + compact(time.toISOString());

/** @returns null for what is no seal */
export function placeOfSeal(key: string): PlaceOfSeal | null {
  const [, at, number] = /\/(\d{8}T\d{9}Z)-(\d{12})\.json$/.exec(key) ?? [];
  return at === undefined || number === undefined ? null : { number: Number(number), sealed_at: fullTime(at) };
}

/** An object of the archive, as one of those that were written for a seal. */
export type SealedObject = PlaceOfSeal & { part: number };

/** Path of an object of the archive, below the chain's prefix; in the order of time. */
export const sealedObjectPath = ({ number, sealed_at, part }: SealedObject): string =>
  `${RECORDS}${compact(sealed_at)}-${digits(number)}-${String(part).padStart(4, '0')}.jsonl.zst.enc`;

/** @returns null for what is no such object */
export function placeOfSealedObject(path: string): SealedObject | null {
  const [, at, number, part] = /\/(\d{8}T\d{9}Z)-(\d{12})-(\d{4})\.jsonl\.zst\.enc$/.exec(path) ?? [];
  if (at === undefined || number === undefined || part === undefined) return null;
  return { number: Number(number), sealed_at: fullTime(at), part: Number(part) };
}

/** Prefixes below which the archives of the chains lie, each in a folder of its own. */
export const chainPrefixes: readonly string[] = [AUDIT_PREFIX, `${AUDIT_PREFIX}databases/`];

/** The chain whose archive lies in a folder; null for what is none's. */
export function chainOfFolder(folder: string): string | null {
  const name = folder.slice(AUDIT_PREFIX.length).replace(/\/$/, '');
  return folder.startsWith(AUDIT_PREFIX) && name !== '' && name !== 'databases' ? name : null;
}
