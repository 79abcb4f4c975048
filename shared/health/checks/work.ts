import type { Thresholds } from '../../configuration/runtime.ts';
import { atOnce, brief, type CheckDefinition } from './definition.ts';

/** What sessions and their statements do. */
export const workChecks = {
  response_time: {
    ...brief,
    title: 'Mean response time',
    metric: 'response_time_ms',
    levels: ({ response_time_ms }: Thresholds) => ({ WARNING: response_time_ms, ERROR: 3 * response_time_ms }),
    whatToDo: 'Look for slow statements and for sessions that wait for locks: GET connections/details and GET locks.',
  },
  slow_queries: {
    ...brief,
    title: 'Slow queries running',
    metric: 'slow_queries',
    levels: { INFO: 1, WARNING: 5, ERROR: 20 },
    hysteresis: 0,
    whatToDo: 'See them in GET connections/details?state=active, and explain the statement that comes up most.',
  },
  longest_query: {
    ...atOnce,
    title: 'Longest running query',
    metric: 'longest_query_seconds',
    levels: { WARNING: 600, ERROR: 3600 },
    whatToDo:
      'See it in GET connections/details?state=active; end it with POST connections/{pid}/terminate if nobody needs it.',
  },
  error_rate: {
    ...brief,
    title: 'Transactions rolled back',
    metric: 'error_rate',
    levels: ({ error_rate }: Thresholds) => ({ WARNING: error_rate, ERROR: Math.min(1, 4 * error_rate) }),
    whatToDo: "Look into the server's log for the errors, and into the application's.",
  },
  deadlocks: {
    ...atOnce,
    title: 'Deadlocks',
    metric: 'deadlocks',
    levels: { WARNING: 1, ERROR: 10 },
    clearSeconds: 300,
    hysteresis: 0,
    whatToDo:
      "The server's log names the statements. Let transactions take their locks in the same order, and repeat what failed.",
  },
  blocked_sessions: {
    ...atOnce,
    title: 'Session blocked',
    metric: 'longest_blocked_seconds',
    levels: { WARNING: 30, ERROR: 120, CRITICAL: 600 },
    clearSeconds: 60,
    whatToDo: 'GET locks shows who holds up whom; end the session at the root with POST connections/{pid}/terminate.',
  },
  long_transaction: {
    ...atOnce,
    title: 'Longest transaction',
    metric: 'longest_transaction_seconds',
    levels: { WARNING: 1800, ERROR: 14_400 },
    whatToDo:
      'It keeps VACUUM from removing dead rows. See it in GET connections/details and end it if it was forgotten.',
  },
  idle_in_transaction: {
    ...atOnce,
    title: 'Session idle in a transaction',
    metric: 'longest_idle_in_transaction_seconds',
    levels: { WARNING: 300, ERROR: 1800 },
    whatToDo:
      'It holds its locks. Close it with POST connections/close-idle and "idle_in_transaction": true, and set idle_in_transaction_session_timeout.',
  },
} as const satisfies Readonly<Record<string, CheckDefinition>>;
