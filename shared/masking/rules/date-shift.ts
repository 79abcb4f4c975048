import * as z from 'zod';
import { defineRule, writeText } from './define-rule.ts';

const decoder = new TextDecoder('latin1');

/** Days since 1970-01-01 of the proleptic Gregorian calendar; the year 0 is 1 BC (Hinnant, "chrono-Compatible Low-Level Date Algorithms"). */
export function daysOf(year: number, month: number, day: number): number {
  const shifted = month <= 2 ? year - 1 : year;
  const era = Math.floor(shifted / 400);
  const ofEra = shifted - era * 400;
  const ofYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  return era * 146_097 + ofEra * 365 + Math.floor(ofEra / 4) - Math.floor(ofEra / 100) + ofYear - 719_468;
}

/** The date of a day; see {@link daysOf}. */
export function dateOf(days: number): [year: number, month: number, day: number] {
  const fromEra = days + 719_468;
  const era = Math.floor(fromEra / 146_097);
  const ofEra = fromEra - era * 146_097;
  const yearOfEra = Math.floor(
    (ofEra - Math.floor(ofEra / 1460) + Math.floor(ofEra / 36_524) - Math.floor(ofEra / 146_096)) / 365,
  );
  const ofYear = ofEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shifted = Math.floor((5 * ofYear + 2) / 153);
  const month = shifted + (shifted < 10 ? 3 : -9);
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  return [year, month, ofYear - Math.floor((153 * shifted + 2) / 5) + 1];
}

/** Years that every type of dates and times holds with days to spare; others are shifted inwards. */
const FIRST_YEAR = -4700;
const LAST_YEAR = 294_200;

function shifted(text: string, days: number): string {
  const match = /^(\d{4,})-(\d\d)-(\d\d)(.*?)( BC)?$/s.exec(text);
  // Infinite: nothing personal.
  if (!match) return text;
  const [, year = '', month = '', day = '', rest = '', era] = match;
  const astronomical = era ? 1 - Number(year) : Number(year);
  const by = astronomical < FIRST_YEAR ? Math.abs(days) : astronomical > LAST_YEAR ? -Math.abs(days) : days;
  const [toYear, toMonth, toDay] = dateOf(daysOf(astronomical, Number(month), Number(day)) + by);
  const two = (number: number): string => String(number).padStart(2, '0');
  const date = `${String(toYear > 0 ? toYear : 1 - toYear).padStart(4, '0')}-${two(toMonth)}-${two(toDay)}`;
  return `${date}${rest}${toYear > 0 ? '' : ' BC'}`;
}

export const dateShiftRule = defineRule({
  name: 'date_shift',
  summary: 'A date some days earlier or later, never the same one; the time of day stays.',
  options: z.strictObject({
    days: z.int().min(1).max(36_500).default(180).meta({ description: 'The most it moves, either way.' }),
    same_for_all: z.boolean().default(false).meta({
      description:
        '`true`: every value moves by the same number of days, so that order and distances stay; whoever knows one value then knows all.',
    }),
  }),
  serves: ['date', 'timestamp'],
  keepsDistinct: ({ same_for_all }) => same_for_all,
  make({ days, same_for_all: same }, _, prfOf) {
    const prf = prfOf('date');
    const shift = (): number => {
      const [first = 0, second = 0] = prf.words;
      const by = 1 + (first % days);
      return second & 1 ? by : -by;
    };
    const none = new Uint8Array();
    return (source, from, to, out, at) => {
      if (same) prf.of(none, 0, 0);
      else prf.of(source, from, to);
      return writeText(Buffer.from(shifted(decoder.decode(source.subarray(from, to)), shift()), 'latin1'), out, at);
    };
  },
});
