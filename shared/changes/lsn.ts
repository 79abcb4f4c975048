/** A position in the write-ahead log, as the server writes it (`16/B374D848`). */
export type Lsn = string;

/**
 * The position as a number of bytes.
 *
 * @throws Error when the text is no position
 */
export function lsnToBytes(lsn: Lsn): bigint {
  const parts = /^([0-9A-Fa-f]{1,8})\/([0-9A-Fa-f]{1,8})$/.exec(lsn);
  if (!parts) throw new Error(`"${lsn}" is no position in the write-ahead log`);
  return (BigInt(`0x${parts[1]}`) << 32n) | BigInt(`0x${parts[2]}`);
}

export function bytesToLsn(bytes: bigint): Lsn {
  return halvesToLsn(Number(bytes >> 32n), Number(bytes & 0xffff_ffffn));
}

/** The position whose upper and lower 32 bits these are. */
export function halvesToLsn(upper: number, lower: number): Lsn {
  return `${upper.toString(16).toUpperCase()}/${lower.toString(16).toUpperCase()}`;
}

/** Below zero when `a` comes before `b`. */
export function compareLsn(a: Lsn, b: Lsn): number {
  const [one, other] = [lsnToBytes(a), lsnToBytes(b)];
  return one < other ? -1 : one > other ? 1 : 0;
}

/** The later of two positions. */
export function laterLsn(a: Lsn, b: Lsn): Lsn {
  return compareLsn(a, b) < 0 ? b : a;
}

/** 16 digits, so that the order of names is that of positions. */
export function lsnDigits(lsn: Lsn): string {
  return lsnToBytes(lsn).toString(16).toUpperCase().padStart(16, '0');
}

/** The reverse of {@link lsnDigits}. */
export function lsnOfDigits(digits: string): Lsn {
  return bytesToLsn(BigInt(`0x${digits}`));
}
