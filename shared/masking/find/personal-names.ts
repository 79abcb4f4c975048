import { type TableContext, UNKNOWN_CONTEXT } from './about-people.ts';
import { wordsOf } from './column-name.ts';
import { type Detector, detectors, weightOfName } from './detectors.ts';

/** How much a name must say alone: an address of a computer need not be personal. */
const LEAST_WEIGHT = 0.6;

/** Kinds of which the name of a column can say so much alone. */
export const isPersonalKind = ({ clues }: Detector): boolean => clues.some(({ weight }) => weight >= LEAST_WEIGHT);

/** Types, as the server writes them, that hold numbers, truth values, documents or lists, whatever the column is called. */
export const OTHER_TYPES =
  /^(smallint|integer|bigint|numeric|real|double precision|boolean|uuid|bytea|jsonb?|oid|interval|money)\b|\[\]$/;

/** Types of columns that may be what only a date can be. */
const isDate = (type: string | undefined): boolean => type !== undefined && /^(date|timestamp)/.test(type);

/** Which kind of personal data a column seems to hold, by its name and type alone; null: none. */
export function personalByName(
  column: string,
  type: string | undefined,
  context: TableContext = UNKNOWN_CONTEXT,
): string | null {
  if (type !== undefined && OTHER_TYPES.test(type)) return null;
  const words = wordsOf(column);
  const [best] = detectors
    .filter(({ types }) => types.includes(isDate(type) ? 'date' : 'text'))
    .map((detector) => ({ kind: detector.kind, weight: weightOfName(detector, words, context) }))
    .filter(({ weight }) => weight >= LEAST_WEIGHT)
    .sort((a, b) => b.weight - a.weight);
  return best?.kind ?? null;
}
