import { DAY_MS } from '../time.ts';

/** A published version of a function. */
export interface PublishedVersion {
  /** Its number. */
  version: string;
  publishedAt: Date;
  /** Of a durable function: how long an execution of this version may take, and how long its history is kept afterwards. */
  durable: { executionSeconds: number; historyDays: number } | null;
}

export interface VersionedFunction {
  name: string;
  versions: readonly PublishedVersion[];
  /** Versions that an alias stands for. */
  aliased: ReadonlySet<string>;
}

/** For clocks that differ, and events that waited to be delivered when the alias moved on: Lambda keeps those for 6 hours at most. */
const MARGIN_MS = DAY_MS;

/**
 * How long a version must stay after the next one was published: the longest that any version lets an execution take, with its history. It is the same for
 * all functions, as a durable one invokes the others in the version that was deployed with it. Milliseconds.
 */
export function keepingTime(functions: readonly VersionedFunction[]): number {
  const times = functions.flatMap(({ versions }) =>
    versions.map(({ durable }) => (durable ? durable.executionSeconds * 1000 + durable.historyDays * DAY_MS : 0)),
  );
  return Math.max(0, ...times) + MARGIN_MS;
}

/**
 * The versions to which no execution can be pinned any more, the oldest first: neither the newest one, nor one that an alias stands
 * for, and superseded longer ago than `keepMs`.
 */
export function prunableVersions({ versions, aliased }: VersionedFunction, keepMs: number, now: Date): string[] {
  const ordered = [...versions].sort((a, b) => Number(a.version) - Number(b.version));
  return ordered.flatMap(({ version }, index) => {
    const next = ordered[index + 1];
    if (!next || aliased.has(version)) return [];
    return next.publishedAt.getTime() + keepMs < now.getTime() ? [version] : [];
  });
}
