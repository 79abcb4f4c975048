import { detectors } from './detectors.ts';
import { partsOf } from './parts.ts';
import { isPersonalKind, OTHER_TYPES } from './personal-names.ts';
import { suspect } from './suspect.ts';

/** Kinds whose values say by themselves what they are. */
const telling = detectors.filter((detector) => isPersonalKind(detector) && detector.weight >= 0.5);

/** By check digits or an unmistakable form, a part of the values is enough: others may stand among them. */
const SURE_WEIGHT = 0.9;
const LEAST_OF_SURE = 0.2;
const LEAST = 0.5;

/** How values of a type are looked at; null: it holds none that could be told. */
function kindOf(type: string | undefined): 'text' | 'json' | 'array' | null {
  if (type === undefined) return 'text';
  if (/^jsonb?$/.test(type)) return 'json';
  const isArray = type.endsWith('[]');
  if (OTHER_TYPES.test(type.replace(/(\[\])+$/, ''))) return null;
  return isArray ? 'array' : 'text';
}

/** Whether values of a type can tell anything. */
export const mayTell = (type: string | undefined): boolean => kindOf(type) !== null;

/** Which kind of personal data some values of a column seem to be, with the path at which they are; null: none. */
export function personalByValues(
  type: string | undefined,
  values: readonly string[],
): { kind: string; path: string | null } | null {
  const kind = kindOf(type);
  if (kind === null) return null;
  for (const { path, values: own } of partsOf('', kind, values)) {
    if (own.length === 0) continue;
    const trimmed = own.map((value) => value.trim());
    const { detector, confidence } = suspect({ name: '', values: trimmed }, telling);
    if (confidence >= (detector.weight >= SURE_WEIGHT ? LEAST_OF_SURE : LEAST)) return { kind: detector.kind, path };
  }
  return null;
}
