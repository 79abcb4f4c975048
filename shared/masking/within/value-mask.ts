import { type FieldMask, roomOf } from '../rules/define-rule.ts';

/**
 * Makes what stands for a value that holds other values: how long it will be, nobody knows before.
 *
 * @returns bytes that are valid until the next call; null for NULL
 */
export type ValueMask = (source: Uint8Array, from: number, to: number) => Uint8Array | null;

/** A mask of single values, with memory of its own to write to. */
export function inOwnMemory(mask: FieldMask): ValueMask {
  let out = new Uint8Array(4096);
  return (source, from, to) => {
    const room = roomOf(to - from);
    if (out.length < room) out = new Uint8Array(room * 2);
    const end = mask(source, from, to, out, 0);
    return end < 0 ? null : out.subarray(0, end);
  };
}
