import { detectors } from './detectors.ts';

/** How much a name must say alone: a note or an address of a computer need not be personal. */
const LEAST_WEIGHT = 0.6;

/** Types, as the server writes them, that hold numbers, truth values, documents or lists, whatever the column is called. */
const OTHER_TYPES =
  /^(smallint|integer|bigint|numeric|real|double precision|boolean|uuid|bytea|jsonb?|oid|interval|money)\b|\[\]$/;

/** Which kind of personal data a column seems to hold, by its name and type alone; null: none. */
export function personalByName(column: string, type: string | undefined): string | null {
  if (type !== undefined && OTHER_TYPES.test(type)) return null;
  return detectors.find(({ name, nameWeight }) => nameWeight >= LEAST_WEIGHT && name.test(column))?.kind ?? null;
}
