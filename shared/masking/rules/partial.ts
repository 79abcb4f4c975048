import * as z from 'zod';
import { defineRule } from './define-rule.ts';

const isContinued = (byte: number): boolean => (byte & 0xc0) === 0x80;

export const partialRule = defineRule({
  name: 'partial',
  summary: 'The first and last characters stay, one sign stands in place of each other one.',
  options: z.strictObject({
    first: z.int().min(0).max(50).default(0),
    last: z.int().min(0).max(50).default(4),
    sign: z
      .string()
      .regex(/^[!-[\]-~]$/, 'must be one printable ASCII character other than a backslash')
      .default('*'),
  }),
  serves: ['text'],
  keepsDistinct: () => false,
  make({ first, last, sign }) {
    const code = sign.charCodeAt(0);
    return (source, from, to, out, at) => {
      let characters = 0;
      for (let index = from; index < to; index++) if (!isContinued(source[index] as number)) characters += 1;
      // A value of which everything would stay loses everything.
      const isShort = characters <= first + last;
      let character = -1;
      let end = at;
      for (let index = from; index < to; index++) {
        const byte = source[index] as number;
        const isNext = !isContinued(byte);
        if (isNext) character += 1;
        const isKept = !isShort && (character < first || character >= characters - last);
        if (isKept) out[end++] = byte;
        else if (isNext) out[end++] = code;
      }
      return end;
    };
  },
});
