/** `pg_current_snapshot()`, parsed: which transactions had ended when it was taken. */
export interface TransactionSnapshot {
  /** Every transaction below it had ended. */
  xmin: bigint;
  /** No transaction from it on had ended. */
  xmax: bigint;
  /** Those in between that had not. */
  running: ReadonlySet<bigint>;
}

/**
 * Parses the text of a `pg_snapshot`: `xmin:xmax:running,...`, in 64-bit numbers.
 *
 * @throws Error when it is none
 */
export function parseSnapshot(text: string): TransactionSnapshot {
  const parts = /^(\d+):(\d+):((?:\d+(?:,\d+)*)?)$/.exec(text);
  if (!parts) throw new Error(`"${text}" is no snapshot`);
  const [, xmin = '', xmax = '', running = ''] = parts;
  return {
    xmin: BigInt(xmin),
    xmax: BigInt(xmax),
    running: new Set(running === '' ? [] : running.split(',').map(BigInt)),
  };
}

/** Whether what a committed transaction did is in what the snapshot shows (`pg_visible_in_snapshot`). */
export function isSeen({ xmin, xmax, running }: TransactionSnapshot, xid: bigint): boolean {
  return xid < xmin || (xid < xmax && !running.has(xid));
}

const EPOCH = 1n << 32n;

/**
 * The 64-bit number of a transaction of which only the lower 32 bits are known, as decoded changes carry them.
 *
 * @param next - a number that no transaction had been given yet when the changes were read. The server keeps all numbers in use
 *   within 2^31 of it, so the largest number below it that ends in these bits is the one.
 */
export function fullTransactionId(xid: number, next: bigint): bigint {
  const last = next - 1n;
  const distance = (last - BigInt(xid)) & (EPOCH - 1n);
  return last - distance;
}

/** The 64-bit number that ends in 32 given bits and is nearest to another: transactions in use are within 2^31 of each other. */
export function nearestTransactionId(xid: number, near: bigint): bigint {
  return fullTransactionId(xid, near + EPOCH / 2n);
}
