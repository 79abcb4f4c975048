import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createDigits, createPermutation, roomFor } from '../../shared/masking/permutation.ts';
import { createPrf, deriveKey } from '../../shared/masking/prf.ts';

/** The key and some of the answers of the reference implementation's self-test, by the length of the message 00 01 02 ... */
const KEY = Buffer.alloc(16);
for (const [index, word] of [0x833d3433, 0x009f389f, 0x2398e64f, 0x417acf39].entries())
  KEY.writeUInt32LE(word, index * 4);
const ANSWERS = new Map([
  [0, [0x43cb1f41, 0x51eba0c2, 0xff0a8ac3, 0x7ee3f642]],
  [1, [0xf9ac2067, 0x9c35a846, 0x441aad3d, 0x777b7330]],
  [8, [0x9faf57d6, 0xf4bc02cf, 0x6af6d831, 0xd2930d90]],
  [13, [0x7feba9c3, 0x585da8e9, 0x7680be51, 0x9fb8fc6e]],
]);

test('the function is Chaskey-12', () => {
  const message = Buffer.from(Array.from({ length: 64 }, (_, byte) => byte));
  const prf = createPrf(KEY);
  for (const [length, words] of ANSWERS) {
    prf.of(message, 0, length);
    expect([...prf.words], `${length} bytes`).toEqual(words);
  }
  const short = createPrf(KEY, 8);
  short.of(message, 0, 0);
  expect([...short.words]).toEqual([0x792e8fe5, 0x75ce87aa, 0x2d1450b5, 0x1191970b]);
});

test('messages that differ in anything, and keys, give other answers', () => {
  const answer = (message: Uint8Array, key: Uint8Array = KEY) => {
    const prf = createPrf(key);
    prf.of(message, 0, message.length);
    return prf.words.join();
  };
  fc.assert(
    fc.property(fc.uniqueArray(fc.uint8Array({ maxLength: 70 }), { minLength: 2, selector: String }), (messages) => {
      expect(new Set(messages.map((message) => answer(message))).size).toBe(messages.length);
    }),
  );
  expect(answer(Buffer.from('x'))).not.toBe(answer(Buffer.from('x'), deriveKey(KEY, 'name')));
  expect(deriveKey(KEY, 'name')).not.toEqual(deriveKey(KEY, 'email'));
});

test('a permutation of a whole small domain meets every value once', () => {
  const permute = createPermutation(createPrf(KEY));
  for (const radixes of [[10], [2, 3], [9, 10, 10], [26, 2, 10], [64, 9]]) {
    const total = radixes.reduce((product, radix) => product * radix, 1);
    const seen = new Set<string>();
    let unmoved = 0;
    for (let number = 0; number < total; number++) {
      const digits = createDigits();
      roomFor(digits, radixes.length);
      let rest = number;
      for (const radix of radixes) {
        digits.radixes[digits.count] = radix;
        digits.values[digits.count++] = rest % radix;
        rest = Math.floor(rest / radix);
      }
      const before = digits.values.slice(0, digits.count).join();
      permute(digits);
      const after = digits.values.slice(0, digits.count);
      expect([...after].every((value, index) => value < (radixes[index] ?? 0))).toBe(true);
      seen.add(after.join());
      if (after.join() === before) unmoved += 1;
    }
    expect(seen.size).toBe(total);
    if (total > 100) expect(unmoved).toBeLessThan(total / 10);
  }
});
