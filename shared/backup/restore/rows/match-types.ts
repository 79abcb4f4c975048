const INTEGERS = ['smallint', 'integer', 'bigint'];
const WITH_LENGTH = /^(character varying|bit varying)(?:\((\d+)\))?$/;
const NUMERIC = /^numeric(?:\((\d+),(-?\d+)\))?$/;
const WITH_PRECISION = /^(time|timestamp)(?:\((\d)\))? (with|without) time zone$/;

/**
 * Whether a column of one type reads every value of another type as the same value, from its text. Types are as `format_type`
 * writes them. What is not known to be wider counts as other, as a cast that changes values would go unnoticed.
 */
export function matchTypes(from: string, to: string): 'same' | 'wider' | 'other' {
  if (from === to) return 'same';
  if (from.endsWith('[]') && to.endsWith('[]')) return matchTypes(from.slice(0, -2), to.slice(0, -2));
  return isWider(from, to) ? 'wider' : 'other';
}

function isWider(from: string, to: string): boolean {
  const size = INTEGERS.indexOf(from);
  if (size >= 0) return to === 'numeric' || INTEGERS.indexOf(to) > size;
  if (from === 'real') return to === 'double precision';
  const [length, wider] = [WITH_LENGTH.exec(from), WITH_LENGTH.exec(to)];
  if (length && wider) return length[1] === wider[1] && limit(wider[2]) >= limit(length[2]);
  if (length?.[1] === 'character varying') return to === 'text';
  if (from === 'text') return to === 'character varying';
  const [number, larger] = [NUMERIC.exec(from), NUMERIC.exec(to)];
  if (number && larger) {
    if (larger[1] === undefined) return true;
    if (number[1] === undefined) return false;
    const digits = (found: RegExpExecArray) => ({ all: Number(found[1]), scale: Number(found[2]) });
    const [few, more] = [digits(number), digits(larger)];
    return more.scale >= few.scale && more.all - more.scale >= few.all - few.scale;
  }
  const [time, finer] = [WITH_PRECISION.exec(from), WITH_PRECISION.exec(to)];
  if (time && finer) {
    return time[1] === finer[1] && time[3] === finer[3] && Number(finer[2] ?? 6) >= Number(time[2] ?? 6);
  }
  return false;
}

const limit = (text: string | undefined): number => (text === undefined ? Number.POSITIVE_INFINITY : Number(text));
