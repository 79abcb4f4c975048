import type { Thresholds } from '../../configuration/runtime.ts';
import { atOnce, brief, type CheckDefinition, lasting, upFrom } from './definition.ts';

/** The server itself and what comes to it. */
export const serverChecks = {
  availability: {
    ...atOnce,
    title: 'Database reachable',
    metric: 'up',
    bad: 'below',
    levels: { CRITICAL: 1 },
    clearSeconds: 0,
    hysteresis: 0,
    whatToDo: 'See why it could not be reached in GET health: server, network, login. On RDS look at its events.',
  },
  connections: {
    ...brief,
    title: 'Connections in use',
    metric: 'connection_usage',
    levels: ({ connection_usage }: Thresholds) => upFrom(connection_usage),
    whatToDo:
      'See who holds them in GET connections/stats, close idle ones with POST connections/close-idle, and put a pooler in front of applications that open many.',
  },
  pool: {
    ...brief,
    title: "This system's own connections in use",
    metric: 'pool_usage',
    levels: { WARNING: 0.9 },
    whatToDo: 'Raise connections.pool_size or pool_overflow in the configuration, or run fewer jobs at a time.',
  },
  processor: {
    ...lasting,
    title: 'Processor',
    metric: 'cpu_usage',
    levels: { WARNING: 0.9 },
    whatToDo: 'Look for the statements that take most time, or give the server more processors.',
  },
  capacity: {
    ...lasting,
    title: 'Capacity of Aurora Serverless',
    metric: 'capacity_usage',
    levels: { WARNING: 0.9 },
    whatToDo:
      'It cannot scale further: raise the maximum capacity of the cluster (aws rds modify-db-cluster --serverless-v2-scaling-configuration), or look for the statements that take most time.',
  },
  certificate: {
    ...atOnce,
    title: "Server's certificate expires",
    metric: 'certificate_days',
    bad: 'below',
    levels: { WARNING: 30, ERROR: 14, CRITICAL: 3 },
    whatToDo: 'Renew it; on RDS choose a newer certificate authority and apply it.',
  },
} as const satisfies Readonly<Record<string, CheckDefinition>>;
