import { publishedMetrics } from '../../shared/health/metrics.ts';

/**
 * What a deployment is assumed to do in a month, where its template does not say. Figures marked measured come from
 * `npm run bench -- round` (PostgreSQL 15, two shared cores) and `npm run bench -- backup`; the others are assumptions, which docs/costs.md
 * states.
 */

/** What one invocation takes: waiting, and processor time on a whole core, which a function with less memory has less of. */
export interface Work {
  readonly waitMs: number;
  readonly cpuMs: number;
}

export interface Usage {
  /** Invocations that a schedule starts, by the function's name without the prefix. */
  readonly invocations: Readonly<Record<string, { readonly each: Work; readonly perDatabase: Work }>>;
  /** Of all other scheduled functions. */
  readonly otherwise: { readonly each: Work; readonly perDatabase: Work };
  /** DynamoDB's request units of the sampler: of each round, and of each round for each database. */
  readonly round: {
    readonly reads: number;
    readonly writes: number;
    readonly roundReads: number;
    readonly logBytes: number;
  };
  /** Seconds that a round of the sampler spends asleep; of a former version. */
  readonly asleepSeconds: number;
  /** PutMetricData requests for each invocation of the sampler; of a former version. */
  readonly putMetricRequests: number;
  /** Custom metrics: for each database when only the heartbeat is published and when all are, and for the whole deployment. */
  readonly metrics: { readonly heartbeat: number; readonly all: number; readonly whole: number };
}

/** Databases that the sampler works on at a time. */
export const AT_A_TIME = 10;

export const usage: Usage = {
  invocations: {
    // Measured: 175 ms a round with 37 ms of processor time on a busy machine, of which connecting is most.
    'sample-health': { each: { waitMs: 20, cpuMs: 10 }, perDatabase: { waitMs: 140, cpuMs: 37 } },
    // Assumed, with point-in-time recovery off: one item of DynamoDB is read for each database.
    'capture-changes': { each: { waitMs: 5, cpuMs: 5 }, perDatabase: { waitMs: 8, cpuMs: 3 } },
    // Assumed: the heads of each trail are read; a seal takes some 100 ms more.
    'seal-audit': { each: { waitMs: 20, cpuMs: 10 }, perDatabase: { waitMs: 10, cpuMs: 3 } },
    'watch-schedules': { each: { waitMs: 50, cpuMs: 20 }, perDatabase: { waitMs: 150, cpuMs: 30 } },
    'note-logins': { each: { waitMs: 20, cpuMs: 10 }, perDatabase: { waitMs: 140, cpuMs: 37 } },
    'check-compliance': { each: { waitMs: 1000, cpuMs: 500 }, perDatabase: { waitMs: 5000, cpuMs: 2000 } },
  },
  otherwise: { each: { waitMs: 500, cpuMs: 200 }, perDatabase: { waitMs: 1000, cpuMs: 200 } },
  // Measured: 3 write and 2.65 read units for each database; the functions with alerts are read once for all.
  round: { reads: 2.2, writes: 3, roundReads: 0.5, logBytes: 195 },
  asleepSeconds: 0,
  putMetricRequests: 0,
  metrics: { heartbeat: 1, all: publishedMetrics.length, whole: 1 },
};

/** What people and databases do. */
export const assumptions = {
  /** Requests to the API: an hour a day of somebody's looking at it, and a few scripts. */
  apiRequests: 10_000,
  /** Of one request: the function that serves it, and in every second one the authorizer. */
  apiWork: { waitMs: 60, cpuMs: 30 },
  authorizerWork: { waitMs: 20, cpuMs: 15 },
  apiMemoryMegabytes: 512,
  apiReads: 4,
  /** The call is counted, and a record and a head are put in a transaction; changes, which have two records, are few. */
  apiWrites: 5,
  /** Per-method metrics of API Gateway, where they are on: routes used, metrics of each, and the share of hours in which they are. */
  apiMetrics: { routes: 20, each: 5, shareOfHours: 0.1 },
  users: 5,
  /** Mails about alerts for each database. */
  mails: 20,
  /** Size of a database, and what of it a backup stores. */
  databaseGigabytes: 10,
  storedShare: 0.12,
  /** A full backup of it, and any other: of the function that backs up. */
  fullBackup: { waitMs: 30_000, cpuMs: 30_000 },
  otherBackup: { waitMs: 2_000, cpuMs: 1_000 },
  durableOperations: 40,
  objectsOfFullBackup: 120,
  objectsOfOtherBackup: 10,
  /** Full backups that are kept: 30 days of weekly ones, and the newest. */
  backupsKept: 5,
  /** Point-in-time recovery of a database that changes all the time: a capture each minute. */
  recovery: {
    capture: { waitMs: 250, cpuMs: 100 },
    captureMegabytes: 1024,
    segmentsOfMinute: 1.1,
    captureWrites: 4,
  },
  /** A secret is read again after five minutes, by each function that connects in that time. */
  secretReads: 8_760 + 4_380,
  /** Calls of DynamoDB, S3 and Secrets Manager to KMS in their users' name: a key is kept for five minutes. */
  kmsRequests: 20_000,
  kmsRequestsPerDatabase: 13_140,
  /** Of an audit trail: one each day, and one in each quarter of an hour in which something is recorded: backups, and people. */
  sealsPerDatabase: 300,
  sealsOfSystem: 150,
  /** Read units of the heads of a trail and of all its shards. */
  readsOfHeads: 3,
  /** A data key for each object; a signature costs as much as five. */
  kmsRequestsOfSeal: 7,
  objectsOfSeal: 2,
  /** CloudWatch is asked about processor, memory and disk of an RDS database every five minutes. */
  rdsMetricsRead: 3 * 8_760,
  /** Of an invocation: Lambda's two lines of its beginning and its end. */
  logBytesOfInvocation: 800,
  /** Of a request to the API: its line in the access log, and what its function writes. */
  logBytesOfRequest: 1_500,
} as const;

export const MINUTES_OF_MONTH = 43_800;
