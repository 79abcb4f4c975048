import { type CheckDefinition, lasting } from './definition.ts';

/** What will come, and what is unlike the days before; see trends.ts. */
export const forecastChecks = {
  disk_full_soon: {
    ...lasting,
    title: 'Disk will be full',
    metric: 'days_until_disk_full',
    bad: 'below',
    levels: { WARNING: 14, ERROR: 3 },
    hysteresis: 0.2,
    whatToDo:
      'Give it a larger disk before; GET metrics/history?metrics=database_bytes,retained_wal_bytes shows what grows.',
  },
  connections_exhausted_soon: {
    ...lasting,
    title: 'Connections will be exhausted',
    metric: 'days_until_connections_exhausted',
    bad: 'below',
    levels: { WARNING: 2 },
    hysteresis: 0.2,
    whatToDo: 'Look for an application that does not give its connections back: GET connections/stats.',
  },
  wraparound_soon: {
    ...lasting,
    title: 'Transaction ids will run out',
    metric: 'days_until_wraparound',
    bad: 'below',
    levels: { WARNING: 14, ERROR: 3 },
    hysteresis: 0.2,
    whatToDo:
      'Find what holds VACUUM back (long or prepared transactions, slots), then VACUUM (FREEZE) the oldest tables.',
  },
  response_time_unusual: {
    ...lasting,
    title: 'Response time unlike that of past days',
    metric: 'response_time_deviation',
    levels: { INFO: 6, WARNING: 15 },
    hysteresis: 0.3,
    whatToDo:
      'Compare GET metrics/history?metrics=response_time_ms with the days before; look for a new release or plan.',
  },
  query_rate_unusual: {
    ...lasting,
    title: 'Query rate unlike that of past days',
    metric: 'query_rate_deviation',
    bad: 'outside',
    levels: { INFO: 8 },
    hysteresis: 0.3,
    whatToDo:
      'Compare GET metrics/history?metrics=queries_per_second with the days before: an application may be down, or in a loop.',
  },
} as const satisfies Readonly<Record<string, CheckDefinition>>;
