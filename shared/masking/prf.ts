import { hkdfSync } from 'node:crypto';

/** A keyed function of bytes: 128 bits that nobody can tell from chance, or repeat, without the key. */
export interface Prf {
  /** The last answer, as four words. Overwritten by the next call. */
  readonly words: Uint32Array;
  /** Leaves in `words` what belongs to the bytes from `from` to `to`. */
  of(bytes: Uint8Array, from: number, to: number): void;
}

/** What Chaskey was standardized with. */
const ROUNDS = 12;
const KEY_BYTES = 16;

/**
 * The key of one purpose, derived from the deployment's masking key by HKDF with SHA-256 (RFC 5869): what is known of the outputs
 * of one rule says nothing of another's.
 */
export function deriveKey(maskingKey: Uint8Array, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', maskingKey, Buffer.alloc(0), `masking ${purpose}`, KEY_BYTES));
}

/**
 * Chaskey-12 (Mouha et al., SAC 2014; ISO/IEC 29192-6:2019), a message authentication code made for 32-bit processors and so for
 * JavaScript's integers: a small part of the time that a call of HMAC or AES takes for values as short as those of a column
 * (docs/decisions/0019).
 *
 * @param key - 16 bytes
 */
export function createPrf(key: Uint8Array, rounds: number = ROUNDS): Prf {
  if (key.length !== KEY_BYTES) throw new Error(`A key has ${KEY_BYTES} bytes`);
  const word = (bytes: Uint8Array, at: number): number =>
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24);
  const k = [word(key, 0), word(key, 4), word(key, 8), word(key, 12)] as const;
  const whole = timesTwo(k);
  const cut = timesTwo(whole);
  const words = new Uint32Array(4);
  const last = new Uint8Array(16);

  return {
    words,
    of(bytes, from, to) {
      let v0: number = k[0];
      let v1: number = k[1];
      let v2: number = k[2];
      let v3: number = k[3];
      let at = from;
      let block = bytes;
      let subkey = whole;
      for (;;) {
        const left = to - at;
        const isLast = left <= 16;
        if (isLast && left !== 16) {
          last.fill(0);
          for (let index = 0; index < left; index++) last[index] = bytes[at + index] as number;
          last[left] = 1;
          block = last;
          at = 0;
          subkey = cut;
        }
        v0 ^= word(block, at);
        v1 ^= word(block, at + 4);
        v2 ^= word(block, at + 8);
        v3 ^= word(block, at + 12);
        if (isLast) {
          v0 ^= subkey[0];
          v1 ^= subkey[1];
          v2 ^= subkey[2];
          v3 ^= subkey[3];
        }
        for (let round = 0; round < rounds; round++) {
          v0 = (v0 + v1) | 0;
          v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
          v0 = (v0 << 16) | (v0 >>> 16);
          v2 = (v2 + v3) | 0;
          v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
          v0 = (v0 + v3) | 0;
          v3 = ((v3 << 13) | (v3 >>> 19)) ^ v0;
          v2 = (v2 + v1) | 0;
          v1 = ((v1 << 7) | (v1 >>> 25)) ^ v2;
          v2 = (v2 << 16) | (v2 >>> 16);
        }
        if (isLast) break;
        at += 16;
      }
      words[0] = v0 ^ subkey[0];
      words[1] = v1 ^ subkey[1];
      words[2] = v2 ^ subkey[2];
      words[3] = v3 ^ subkey[3];
    },
  };
}

type Words = readonly [number, number, number, number];

/** Doubling in GF(2^128), least significant word first. */
function timesTwo([a, b, c, d]: Words): Words {
  return [(a << 1) ^ (d < 0 ? 0x87 : 0), (b << 1) | (a >>> 31), (c << 1) | (b >>> 31), (d << 1) | (c >>> 31)];
}
