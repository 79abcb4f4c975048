/** The time of day in a time zone, in minutes since midnight by its clocks. */
export function minuteOfDay(at: number, timeZone: string): number {
  const parts = new Intl.DateTimeFormat('en-GB', {
    timeZone,
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  }).formatToParts(at);
  const of = (type: string): number => Number(parts.find((part) => part.type === type)?.value ?? 0);
  return of('hour') * 60 + of('minute');
}

const MINUTE_MS = 60_000;
const DAY_MINUTES = 1440;

/** Minutes since midnight of a clock's time such as `22:00`. */
export function minutesOf(clock: string): number {
  const [hours = 0, minutes = 0] = clock.split(':').map(Number);
  return hours * 60 + minutes;
}

/**
 * The next time at which the clocks of a time zone show a time of day, after `at`. On a day when clocks change it may be off by
 * what they change.
 */
export function nextTimeOfDay(at: number, clock: string, timeZone: string): number {
  const minute = Math.floor(at / MINUTE_MS) * MINUTE_MS;
  const ahead = (minutesOf(clock) - minuteOfDay(minute, timeZone) + DAY_MINUTES) % DAY_MINUTES;
  return minute + (ahead === 0 ? DAY_MINUTES : ahead) * MINUTE_MS;
}

/** The end of the quiet hours in which a time lies; null when it lies in none. They may reach over midnight. */
export function endOfQuietHours(
  at: number,
  { from, to }: { from: string; to: string },
  timeZone: string,
): number | null {
  const [now, begin, end] = [minuteOfDay(at, timeZone), minutesOf(from), minutesOf(to)];
  const within = begin <= end ? now >= begin && now < end : now >= begin || now < end;
  return within ? nextTimeOfDay(at, to, timeZone) : null;
}
