import * as z from 'zod';
import type { ColumnFacts } from '../column.ts';
import { defineRule, type FieldMask, writeText } from './define-rule.ts';

/** What fits a double without loss. */
const EXACT_DIGITS = 15;
/** Noise of a larger number is counted in millionths. */
const MILLION = 1_000_000;

const decoder = new TextDecoder('latin1');

/** @param share - from -1 to 1 */
function noisyDecimal(text: string, share: number, { largest, wholeDigits }: ColumnFacts): string {
  const match = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text);
  // Not a number, or infinite: nothing personal.
  if (!match) return text;
  const [, sign = '', whole = '', fraction = ''] = match;
  const digits = whole + fraction;
  const scaled =
    digits.length <= EXACT_DIGITS
      ? String(Math.round(Number(digits) * (1 + share)))
      : String((BigInt(digits) * BigInt(Math.round((1 + share) * MILLION))) / BigInt(MILLION));
  const padded = scaled.padStart(fraction.length + 1, '0');
  const point = padded.length - fraction.length;
  const changed = padded.slice(0, point);
  const isTooLarge =
    (largest !== null &&
      (changed.length > largest.length || (changed.length === largest.length && changed > largest))) ||
    (wholeDigits !== null &&
      changed !== '0' &&
      changed.length > Math.max(wholeDigits, whole === '0' ? 0 : whole.length));
  // Downwards instead of beyond what the type holds.
  if (isTooLarge) return noisyDecimal(text, -Math.abs(share), { largest: null, wholeDigits: null } as ColumnFacts);
  const isZero = /^0*$/.test(padded);
  return `${isZero ? '' : sign}${changed}${fraction.length > 0 ? `.${padded.slice(point)}` : ''}`;
}

function noisyFloat(text: string, share: number): string {
  const value = Number(text);
  const changed = value * (1 + share);
  return Number.isFinite(value) && Number.isFinite(changed) ? String(changed) : text;
}

export const numberNoiseRule = defineRule({
  name: 'number_noise',
  summary: 'A number close to the value, of the same scale; the same value always becomes the same one.',
  options: z.strictObject({
    ratio: z
      .number()
      .min(0.001)
      .max(1)
      .default(0.1)
      .meta({ description: 'The most it changes, as a share of the value.' }),
  }),
  serves: ['integer', 'decimal', 'float'],
  keepsDistinct: () => false,
  make({ ratio }, column, prfOf): FieldMask {
    const prf = prfOf('noise');
    return (source, from, to, out, at) => {
      prf.of(source, from, to);
      const share = ratio * (((prf.words[0] as number) / 0x1_0000_0000) * 2 - 1);
      const text = decoder.decode(source.subarray(from, to));
      const changed = column.kind === 'float' ? noisyFloat(text, share) : noisyDecimal(text, share, column);
      return writeText(Buffer.from(changed, 'latin1'), out, at);
    };
  },
});
