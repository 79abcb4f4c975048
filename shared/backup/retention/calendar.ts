import { DAY_MS } from '../../time.ts';

/** The spans of time that a backup can stand for, in a time zone. A week begins on Monday (ISO 8601). */
export const PERIODS = ['daily', 'weekly', 'monthly', 'yearly'] as const;
export type Period = (typeof PERIODS)[number];

const DAY_SECONDS = DAY_MS / 1000;

const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(timeZone: string): Intl.DateTimeFormat {
  const known = formats.get(timeZone);
  if (known) return known;
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    calendar: 'gregory',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
  });
  formats.set(timeZone, format);
  return format;
}

/**
 * The day of the calendar in a time zone, as the number of days since 1 January 1970.
 *
 * @param instant - milliseconds since the epoch
 */
export function localDay(instant: number, timeZone: string): number {
  const parts = { year: 1970, month: 1, day: 1 };
  for (const { type, value } of formatOf(timeZone).formatToParts(instant)) {
    if (type in parts) parts[type as keyof typeof parts] = Number(value);
  }
  return Date.UTC(parts.year, parts.month - 1, parts.day) / DAY_MS;
}

/**
 * The instant at which a day begins in a time zone, in milliseconds since the epoch. Where clocks are set at midnight it is not
 * 00:00 by the clock; a day that a time zone has skipped begins, and ends, with the one after it.
 */
export function startOfDay(day: number, timeZone: string): number {
  const key = `${timeZone} ${day}`;
  const known = starts.get(key);
  if (known !== undefined) return known;
  if (starts.size >= MOST_STARTS) starts.clear();
  const start = findStart(day, timeZone);
  starts.set(key, start);
  return start;
}

/** Each is searched for, and asked for again by each backup of the period that it begins. */
const starts = new Map<string, number>();
const MOST_STARTS = 10_000;

function findStart(day: number, timeZone: string): number {
  // No zone is further from UTC than 15 hours (the Philippines before 1845, Alaska before 1867); none changes within a second.
  let before = day * DAY_SECONDS - 16 * 3600;
  let after = day * DAY_SECONDS + 16 * 3600;
  while (after - before > 1) {
    const middle = Math.floor((before + after) / 2);
    if (localDay(middle * 1000, timeZone) < day) before = middle;
    else after = middle;
  }
  return after * 1000;
}

/** 1 January 1970 was a Thursday: weeks begin on the Monday before it. */
const MONDAY = 3;

/** Numbers the periods of one kind in their order, without gaps. */
export function periodOf(period: Period, day: number): number {
  const date = new Date(day * DAY_MS);
  switch (period) {
    case 'daily':
      return day;
    case 'weekly':
      return Math.floor((day + MONDAY) / 7);
    case 'monthly':
      return date.getUTCFullYear() * 12 + date.getUTCMonth();
    case 'yearly':
      return date.getUTCFullYear();
  }
}

/** The first day of a period that {@link periodOf} has numbered. */
export function firstDayOf(period: Period, number: number): number {
  switch (period) {
    case 'daily':
      return number;
    case 'weekly':
      return number * 7 - MONDAY;
    case 'monthly':
      return Date.UTC(Math.floor(number / 12), number % 12, 1) / DAY_MS;
    case 'yearly':
      return Date.UTC(number, 0, 1) / DAY_MS;
  }
}

/** A period's name in ISO 8601: `2026-01-31`, `2026-W05`, `2026-01`, `2026`. */
export function nameOf(period: Period, number: number): string {
  const first = firstDayOf(period, number);
  const date = new Date(first * DAY_MS).toISOString();
  switch (period) {
    case 'daily':
      return date.slice(0, 10);
    case 'weekly': {
      // A week belongs to the year of its Thursday.
      const year = new Date((first + MONDAY) * DAY_MS).getUTCFullYear();
      const firstOfYear = periodOf('weekly', Date.UTC(year, 0, 4) / DAY_MS);
      return `${year}-W${String(number - firstOfYear + 1).padStart(2, '0')}`;
    }
    case 'monthly':
      return date.slice(0, 7);
    case 'yearly':
      return date.slice(0, 4);
  }
}
