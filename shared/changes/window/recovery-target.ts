import type { Lsn } from '../lsn.ts';

/** The moment to restore to. `inclusive`, the default, replays the transaction that is named, or ends there; otherwise it is left out. */
export type RecoveryTarget =
  /** The first transaction that committed after this time, and all that follow it, are left out. ISO 8601. */
  | { time: string; inclusive?: boolean }
  /** Commits that end here or before are replayed. */
  | { lsn: Lsn; inclusive?: boolean }
  /** In 64 bits, as `pg_current_xact_id()` tells it. */
  | { transaction: bigint; inclusive?: boolean };

/** Times as texts that sort by time: ISO 8601 in UTC with six digits of a second. */
export function toMicroseconds(time: string): string {
  const parts = /^(.+T\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)$/.exec(time);
  if (!parts) throw new Error(`"${time}" is no time in ISO 8601 with its zone`);
  const seconds = new Date(`${parts[1]}${parts[3]}`).toISOString().slice(0, 19);
  return `${seconds}.${(parts[2] ?? '').slice(0, 6).padEnd(6, '0')}Z`;
}

/** The moment a microsecond earlier. */
export function microsecondBefore(time: string): string {
  const [, seconds = '', fraction = ''] = /^(.+)\.(\d{6})Z$/.exec(toMicroseconds(time)) ?? [];
  const micros = BigInt(Date.parse(`${seconds}Z`)) * 1000n + BigInt(fraction) - 1n;
  const whole = new Date(Number(micros / 1000n)).toISOString().slice(0, 19);
  return `${whole}.${String(micros % 1_000_000n).padStart(6, '0')}Z`;
}
