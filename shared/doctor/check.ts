import type { Database, RuntimeConfiguration } from '../configuration/runtime.ts';
import type { Feature, Remediation } from '../contract/schemas/doctor.ts';
import type { ServerDescription } from '../platforms/managed/describe.ts';
import type { Platform, Step } from '../platforms/platform.ts';
import type { Pooler } from '../postgres/pooler.ts';
import type { Facts, SectionName } from './facts/facts.ts';

/** What a check knows beside what was read by SQL. */
export interface Context {
  database: Database;
  platform: Platform;
  /** How AWS keeps the server; null: AWS does not, or it could not be read. */
  server: ServerDescription | null;
  configuration: Pick<RuntimeConfiguration, 'backups' | 'recovery' | 'drills'>;
  /** The pooler that the session goes through; null without one. */
  pooler: Pooler | null;
  /** Milliseconds since the epoch. */
  now: number;
}

/** Which features a finding concerns, and how. */
export interface Affects {
  readonly stops?: readonly Feature[];
  readonly limits?: readonly Feature[];
  readonly notes?: readonly Feature[];
}

/** What a check has found to be missing. `affects`: where it differs from that of the check. */
export interface Found {
  message: string;
  remediation: Remediation[];
  affects?: Affects;
}

/** One thing that a login or a server must have. The report, health, the refusal of a backup and the documents derive from these. */
export interface Check<Name extends SectionName = SectionName> {
  readonly id: string;
  /** What is missing, for a list. */
  readonly title: string;
  /** What is needed, for the table in the documents. */
  readonly needs: string;
  readonly affects: Affects;
  readonly reads: readonly Name[];
  find(facts: Pick<Facts, Name>, context: Context): Found | null;
}

/** Keeps the types of the sections that a check reads. */
export function defineCheck<const Name extends SectionName = never>(check: Check<Name>): Check<Name> {
  return check;
}

/** What all checks have in common, whatever they read. */
export type AnyCheck = Check;

/** Who may run what an ordinary login may not. */
export function administratorOf({ privileges }: Platform): string {
  return privileges.administrators === null ? 'a superuser' : `a member of ${privileges.administrators}`;
}

/** SQL that an administrator runs in the database. */
export function sql({ platform }: Pick<Context, 'platform'>, ...statements: string[]): Remediation[] {
  return statements.map((statement) => ({ by: 'sql', statement, run_as: administratorOf(platform) }));
}

/** A part of the deployment's configuration. */
export function configure(statement: string): Remediation[] {
  return [{ by: 'configuration', statement, run_as: null }];
}

/** The steps that a platform names. */
export function steps(context: Pick<Context, 'platform'>, given: readonly Step[]): Remediation[] {
  const { platform } = context;
  return given.map(({ by, statement }) => ({ by, statement, run_as: by === 'sql' ? administratorOf(platform) : null }));
}
