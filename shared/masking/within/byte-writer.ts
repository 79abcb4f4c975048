/** Bytes that are put together one after the other. Its memory grows, and is used again. */
export interface ByteWriter {
  /** What was written since the last {@link reset}, valid until the next write. */
  written(): Uint8Array;
  reset(): void;
  byte(byte: number): void;
  copy(source: Uint8Array, from: number, to: number): void;
}

/** Memory that is kept for the next value. */
const KEPT_BYTES = 1_048_576;

export function createByteWriter(): ByteWriter {
  let bytes = Buffer.allocUnsafe(4096);
  let used = 0;
  const reserve = (more: number): void => {
    if (used + more <= bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(bytes.length * 2, used + more));
    bytes.copy(grown, 0, 0, used);
    bytes = grown;
  };
  return {
    written: () => bytes.subarray(0, used),
    reset() {
      used = 0;
      if (bytes.length > KEPT_BYTES) bytes = Buffer.allocUnsafe(4096);
    },
    byte(byte) {
      reserve(1);
      bytes[used++] = byte;
    },
    copy(source, from, to) {
      reserve(to - from);
      bytes.set(source.subarray(from, to), used);
      used += to - from;
    },
  };
}
