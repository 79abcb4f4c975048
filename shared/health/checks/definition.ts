import type { Thresholds } from '../../configuration/runtime.ts';
import type { Levels } from '../levels.ts';
import type { MetricName } from '../metrics.ts';

export interface CheckDefinition {
  readonly title: string;
  readonly metric: MetricName;
  /** Which values are bad. `outside`: far from zero, either way. */
  readonly bad: 'above' | 'below' | 'outside';
  /** By default; the configuration has its say in some. */
  readonly levels: Levels | ((configured: Thresholds) => Levels);
  /** How long a value must be bad before it is an alert, and good before the alert is over. Seconds. */
  readonly forSeconds: number;
  readonly clearSeconds: number;
  /** How far back beyond a threshold a value must go to be good again, as a share of the threshold. */
  readonly hysteresis: number;
  readonly whatToDo: string;
}

/** A share's levels: from the configured one on, and at a half and four fifths of what is then left. */
export const upFrom = (share: number): Levels => ({
  WARNING: share,
  ERROR: share + (1 - share) / 2,
  CRITICAL: share + (1 - share) * 0.8,
});

/** For what comes and goes: a minute of it is an alert. */
export const brief = { bad: 'above', forSeconds: 60, clearSeconds: 120, hysteresis: 0.05 } as const;

/** For what is bad however short it is. */
export const atOnce = { ...brief, forSeconds: 0 } as const;

/** For what is bad only when it stays. */
export const lasting = { ...brief, forSeconds: 600, clearSeconds: 600 } as const;
