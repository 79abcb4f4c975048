import type { Prf } from './prf.ts';

/** As in FF1 (NIST SP 800-38G). */
const ROUNDS = 10;
/** Positions that one answer of the function serves: 16 bits for each. */
const PER_ANSWER = 8;
const HEADER = 4;

/** A list of digits, each of a radix of its own; {@link permute} works on it in place. */
export interface Digits {
  /** How many of the arrays' places are in use. */
  count: number;
  values: Uint8Array;
  radixes: Uint8Array;
}

/** Room for digits, which grows with {@link roomFor}. */
export function createDigits(): Digits {
  return { count: 0, values: new Uint8Array(64), radixes: new Uint8Array(64) };
}

/** Makes room for as many digits, and begins anew. */
export function roomFor(digits: Digits, count: number): void {
  digits.count = 0;
  if (digits.values.length >= count) return;
  digits.values = new Uint8Array(count * 2);
  digits.radixes = new Uint8Array(count * 2);
}

/**
 * A keyed permutation of all lists of the same length and radixes: two lists never become the same one. A Feistel network over two
 * halves (Luby and Rackoff, 1988), each round adding to every digit of one half, modulo its radix, what the function makes of the
 * other half; it takes digits of mixed radixes and needs no arithmetic beyond small numbers. Time grows with the length alone: the
 * other half is read once in a round, and what a long half needs beyond one answer is made of that answer and a counter.
 */
export function createPermutation(prf: Prf): (digits: Digits) => void {
  let input = new Uint8Array(64);
  /** An answer and a counter. No round has this number, so that it is no input of a round. */
  const further = new Uint8Array(HEADER + 16);
  const answer = new DataView(further.buffer, HEADER);
  further[0] = 0xff;
  return (digits) => {
    const { count, values, radixes } = digits;
    const half = count >> 1;
    if (input.length < count + HEADER) input = new Uint8Array(count * 2 + HEADER);
    input[1] = count;
    input[2] = count >> 8;
    input[3] = count >> 16;
    for (let round = 0; round < ROUNDS; round++) {
      const isFirst = (round & 1) === 0;
      const from = isFirst ? 0 : half;
      const to = isFirst ? half : count;
      const otherFrom = isFirst ? half : 0;
      const otherTo = isFirst ? count : half;
      input[0] = round;
      for (let at = otherFrom; at < otherTo; at++) input[HEADER + at - otherFrom] = values[at] as number;
      prf.of(input, 0, HEADER + otherTo - otherFrom);
      if (to - from > PER_ANSWER) prf.words.forEach((word, index) => void answer.setUint32(index * 4, word));
      for (let at = from; at < to; at++) {
        const place = at - from;
        if (place > 0 && place % PER_ANSWER === 0) {
          const counter = place / PER_ANSWER;
          further[1] = counter;
          further[2] = counter >> 8;
          further[3] = counter >> 16;
          prf.of(further, 0, further.length);
        }
        const wide = prf.words[(place & 7) >> 1] as number;
        const share = place & 1 ? wide >>> 16 : wide & 0xffff;
        const radix = radixes[at] as number;
        const sum = (values[at] as number) + ((share * radix) >>> 16);
        values[at] = sum >= radix ? sum - radix : sum;
      }
    }
  };
}
