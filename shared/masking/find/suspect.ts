import { type Detector, detectors } from './detectors.ts';

/** What values seem to be, and how surely. */
export interface Suspicion {
  detector: Detector;
  /** From 0 to 1. */
  confidence: number;
}

/** The kind of personal data that name and values speak for the most. Of no values, the name speaks alone. */
export function suspect(name: string, values: readonly string[], among: readonly Detector[] = detectors): Suspicion {
  const [best] = among
    .map((detector) => ({ detector, confidence: confidenceOf(detector, name, values) }))
    .sort((a, b) => b.confidence - a.confidence);
  return best as Suspicion;
}

/**
 * Name and values as two witnesses that may each be wrong: 1 - (1 - name)(1 - values). Values of another kind speak against the name,
 * by as many as there are.
 */
function confidenceOf(
  { name, isOne, weight, nameWeight }: Detector,
  column: string,
  values: readonly string[],
): number {
  const share = values.length === 0 ? null : values.filter(isOne).length / values.length;
  const byName = name.test(column) ? nameWeight * (share === null ? 1 : 0.4 + 0.6 * share) : 0;
  // A value here and there is chance.
  const byValues = share === null || share < 0.1 ? 0 : weight * share;
  return 1 - (1 - byName) * (1 - byValues);
}
