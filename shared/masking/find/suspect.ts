import type { TypeKind } from '../column.ts';
import { type TableContext, UNKNOWN_CONTEXT } from './about-people.ts';
import { wordsOf } from './column-name.ts';
import { type Detector, detectors, weightOfName } from './detectors.ts';

/** What values seem to be, and how surely. */
export interface Suspicion {
  detector: Detector;
  /** From 0 to 1. */
  confidence: number;
}

export interface Suspected {
  name: string;
  /** Of the column; within arrays and documents all is text. */
  type?: TypeKind;
  values: readonly string[];
  context?: TableContext;
}

/** The kind of personal data that name and values speak for the most. Of no values, the name speaks alone. */
export function suspect(
  { name, type = 'text', values, context = UNKNOWN_CONTEXT }: Suspected,
  among: readonly Detector[] = detectors,
): Suspicion {
  const words = wordsOf(name);
  const [best] = among
    .map((detector) => ({
      detector,
      confidence: detector.types.includes(type) ? confidenceOf(detector, words, values, context) : 0,
    }))
    .sort((a, b) => b.confidence - a.confidence);
  return best as Suspicion;
}

/** A name of which so many values cannot be what it says, is misleading. */
const MOST_UNFIT = 0.2;

/**
 * Name and values as two witnesses that may each be wrong: 1 - (1 - name)(1 - values). Values that cannot be of the kind speak against the
 * name, by as many as there are; those that may be do not, though they have no form that proves it.
 */
function confidenceOf(detector: Detector, words: string, values: readonly string[], context: TableContext): number {
  const { isOne, fits = () => true, weight } = detector;
  const share = values.length === 0 ? null : values.filter((value) => isOne(value)).length / values.length;
  const unfit =
    values.length === 0 ? 0 : values.filter((value) => !isOne(value) && !fits(value)).length / values.length;
  const byName = weightOfName(detector, words, context) * (unfit <= MOST_UNFIT ? 1 : 0.4 * (1 - unfit));
  // A value here and there is chance.
  const byValues = share === null || share < 0.1 ? 0 : weight * share;
  return 1 - (1 - byName) * (1 - byValues);
}
