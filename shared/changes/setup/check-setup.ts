import type pg from 'pg';
import * as z from 'zod';
import type { Finding } from '../../backup/restore/findings.ts';
import type { Database } from '../../configuration/runtime.ts';
import type { Platform } from '../../platforms/platform.ts';
import { ownServer, platformOf } from '../../platforms/platforms.ts';
import { quoteIdentifier } from '../../postgres/identifiers.ts';
import { capabilitiesSql, coverageSql } from './setup.sql.ts';

const capabilitiesSchema = z.object({
  wal_level: z.string(),
  in_recovery: z.boolean(),
  slots: z.int(),
  used_slots: z.int(),
  keep_size: z.string(),
  iam_streaming: z.string().nullable(),
  login: z.string(),
  may_replicate: z.boolean(),
  may_create_event_triggers: z.boolean(),
  may_create_schemas: z.boolean(),
  database: z.string(),
});

export interface SetupCheck {
  /** What keeps point-in-time recovery from being turned on. */
  problems: Finding[];
  /** What it is the weaker for. */
  warnings: Finding[];
  /** Whether changes of definitions can be followed. */
  followsDefinitions: boolean;
}

/** What of a database's configuration decides whether its changes can be captured. */
export interface SetupPlace {
  platform: Platform;
  isByIam: boolean;
  allowsPause: boolean;
}

/** A server of one's own, with a password. */
const ownPlace: SetupPlace = { platform: ownServer, isByIam: false, allowsPause: false };

/** @param database - as it is configured */
export function setupPlaceOf(database: Pick<Database, 'kind' | 'login' | 'allow_pause'>): SetupPlace {
  return {
    platform: platformOf(database),
    isByIam: database.login.type === 'iam',
    allowsPause: database.allow_pause,
  };
}

/**
 * Looks whether changes of the database can be captured, and says all that stands in the way. Changes nothing.
 *
 * @param ownSlots - what the names of this system's slots begin with: they are dropped before another is created
 */
export async function checkSetup(
  client: pg.Client,
  { platform, isByIam, allowsPause }: SetupPlace = ownPlace,
  ownSlots: string | null = null,
): Promise<SetupCheck> {
  const { replication, privileges } = platform;
  const facts = capabilitiesSchema.parse((await client.query(capabilitiesSql, [ownSlots])).rows[0]);
  const problems: Finding[] = [];
  const warnings: Finding[] = [];
  if (facts.in_recovery) {
    problems.push({
      code: 'server_is_standby',
      message: 'The server is a standby: changes are captured from the primary',
      nextStep: 'Configure the address of the primary, such as the cluster endpoint.',
    });
  }
  if (facts.wal_level !== 'logical') {
    problems.push({
      code: 'wal_level_too_low',
      message: `The server writes too little into its log: wal_level is ${facts.wal_level}, and must be logical`,
      nextStep: replication.enable,
    });
  }
  if (facts.used_slots >= facts.slots) {
    problems.push({
      code: 'no_free_slot',
      message: `All ${facts.slots} replication slots are in use`,
      nextStep: 'Raise max_replication_slots and restart the server, or drop a slot that nobody reads.',
    });
  }
  if (!facts.may_replicate) {
    problems.push({
      code: 'replication_refused',
      message: `The login ${facts.login} may not use replication slots`,
      nextStep: `Run ${privileges.allowReplication(facts.login)}.`,
    });
  }
  if (!facts.may_create_event_triggers) {
    warnings.push(
      definitionsNotFollowed(
        `The login ${facts.login} may not create event triggers`,
        'Use a superuser (rds_superuser on RDS) to have them repeated instead.',
      ),
    );
  } else if (!facts.may_create_schemas) {
    const [database, login] = [facts.database, facts.login].map(quoteIdentifier);
    warnings.push(
      definitionsNotFollowed(
        `The login ${facts.login} may create no schema in the database for the functions of event triggers`,
        `Run GRANT CREATE ON DATABASE ${database} TO ${login} as the owner of the database to have them repeated instead.`,
      ),
    );
  }
  if (facts.keep_size === '-1') {
    (replication.unlimitedSlots === null ? warnings : problems).push({
      code: 'log_not_limited',
      message: 'The server keeps any amount of log for a slot that is not read: max_slot_wal_keep_size is not set',
      nextStep:
        replication.unlimitedSlots ??
        'Set max_slot_wal_keep_size, so that the server itself never fills its disk for it.',
    });
  }
  if (isByIam && replication.iamSetting !== null && !['on', '1'].includes(facts.iam_streaming ?? '')) {
    warnings.push({
      code: 'streaming_refused',
      message: `Logins by IAM may not stream changes while ${replication.iamSetting} is not 1: the server then holds what it decodes, on disk where it is much`,
      nextStep: `Set ${replication.iamSetting} to 1 in the parameter group, and restart the server where it says so.`,
    });
  }
  if (allowsPause) {
    problems.push({
      code: 'pausing_excluded',
      message:
        'The database may pause (allow_pause), and capturing its changes each minute, and a logical slot by itself, keep it from pausing',
      nextStep:
        'Remove allow_pause from the configuration of this database and deploy, or do without point-in-time recovery.',
    });
  }
  return { problems, warnings, followsDefinitions: facts.may_create_event_triggers && facts.may_create_schemas };
}

/** What a window is the weaker for in which changes of definitions are noticed afterwards. */
export function definitionsNotFollowed(why: string, remedy: string): Finding {
  return {
    code: 'definitions_not_followed',
    message: `${why}: changes of definitions are not captured; the next run notices them, and the window ends before it`,
    nextStep: `A full backup is then begun by itself. ${remedy}`,
  };
}

const gapSchema = z.object({
  schema: z.string().nullable(),
  name: z.string(),
  reason: z.enum(['no_replica_identity', 'unlogged', 'foreign', 'large_objects']),
});

/** What is not covered exactly. */
export interface CoverageGap {
  /** null for large objects. */
  table: { schema: string; name: string } | null;
  reason: z.output<typeof gapSchema>['reason'];
  /** In words, with what to do about it. */
  explanation: string;
}

const EXPLANATIONS: Record<CoverageGap['reason'], (name: string) => string> = {
  no_replica_identity: (name) =>
    `Inserted rows are covered; from the first update or delete on, the table is not: give it a primary key, or ALTER TABLE ${name} REPLICA IDENTITY FULL`,
  unlogged: () => 'Its rows are not in the log: a restore has them as they were in the full backup',
  foreign: () => 'Its rows are on another server',
  large_objects: (count) => `${count} large objects are as they were in the full backup: their changes are not decoded`,
};

/** Lists what the changes do not cover exactly, in words. */
export async function listCoverageGaps(client: pg.Client): Promise<CoverageGap[]> {
  const rows = z.array(gapSchema).parse((await client.query(coverageSql)).rows);
  return rows.map(({ schema, name, reason }) => ({
    table: schema === null ? null : { schema, name },
    reason,
    explanation: EXPLANATIONS[reason](schema === null ? name : `${schema}.${name}`),
  }));
}
