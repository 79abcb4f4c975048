import { type Detector, detectors } from './detectors.ts';

/** How much a name must say alone: a note or an address of a computer need not be personal. */
const LEAST_WEIGHT = 0.6;

export const isPersonalKind = ({ nameWeight }: Detector): boolean => nameWeight >= LEAST_WEIGHT;

/** Types, as the server writes them, that hold numbers, truth values, documents or lists, whatever the column is called. */
export const OTHER_TYPES =
  /^(smallint|integer|bigint|numeric|real|double precision|boolean|uuid|bytea|jsonb?|oid|interval|money)\b|\[\]$/;

/** Which kind of personal data a column seems to hold, by its name and type alone; null: none. */
export function personalByName(column: string, type: string | undefined): string | null {
  if (type !== undefined && OTHER_TYPES.test(type)) return null;
  return detectors.find((detector) => isPersonalKind(detector) && detector.name.test(column))?.kind ?? null;
}
