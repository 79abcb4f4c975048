import { atOnce, type CheckDefinition } from './definition.ts';

/** What the login and the server let this system do. */
export const setupChecks = {
  failing_features: {
    ...atOnce,
    title: 'Features do not work with the login or the server',
    metric: 'failing_features',
    levels: { ERROR: 1 },
    hysteresis: 0,
    whatToDo: 'Run npm run doctor, or see GET doctor: it names what is missing, with the statement that cures it.',
  },
  limited_features: {
    ...atOnce,
    title: 'Features work with limits, or are unknown to work',
    metric: 'limited_features',
    levels: { WARNING: 1 },
    hysteresis: 0,
    whatToDo: 'Run npm run doctor, or see GET doctor: it names what is missing, with the statement that cures it.',
  },
} as const satisfies Readonly<Record<string, CheckDefinition>>;
