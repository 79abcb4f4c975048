import type { Database } from '../../configuration/runtime.ts';
import type { RuleLevel } from '../../contract/schemas/compliance.ts';
import { listed } from '../../listed.ts';
import type { ServerDescription } from '../../platforms/managed/describe.ts';
import type { DescribedParameters } from '../../platforms/managed/describe-parameters.ts';
import { forPaste } from '../../postgres/for-paste.ts';
import type { Controls } from './controls.ts';
import type { Sections } from './readings/sections.ts';

export type { RuleLevel } from '../../contract/schemas/compliance.ts';

/**
 * One step that mends a failure: SQL for the database, a command for AWS's CLI or for a shell on the server, a call of this API, or
 * a part of the deployment's configuration as JSON.
 */
export interface Mend {
  by: 'sql' | 'aws' | 'shell' | 'api' | 'configuration';
  statement: string;
}

/** `unknown`: it could not be read, or not for certain; never taken for a pass. */
export type Judgement =
  | { status: 'pass' | 'not_applicable' | 'unknown'; found: string }
  | { status: 'fail'; found: string; mend: Mend[] };

/** What a rule knows beside its reading. */
export interface Context {
  /** Milliseconds since the epoch. */
  now: number;
  database: Pick<Database, 'id' | 'kind' | 'name' | 'host' | 'direct' | 'instance_id' | 'login' | 'tls' | 'log_group'>;
  /** How AWS keeps the server; null: it does not, or that could not be read. */
  instance: ServerDescription | null;
  /** What its parameter groups take; null as `instance`. */
  parameters: DescribedParameters | null;
}

export interface Rule<Name extends keyof Sections = keyof Sections> {
  id: string;
  title: string;
  level: RuleLevel;
  /** What is right, in words. */
  expected: string;
  controls: Controls;
  /** The section that it judges; when that could not be read, the rule is `unknown`. */
  reads: Name;
  judge(reading: Sections[Name], context: Context): Judgement;
}

/** What all rules have in common, whichever section they judge. */
export type AnyRule = { [Name in keyof Sections]: Rule<Name> }[keyof Sections];

export const pass = (found: string): Judgement => ({ status: 'pass', found });
export const notApplicable = (found: string): Judgement => ({ status: 'not_applicable', found });
export const unknown = (found: string): Judgement => ({ status: 'unknown', found });
export const fail = (found: string, mend: Mend[]): Judgement => ({ status: 'fail', found, mend });
export const sql = (...statements: string[]): Mend[] =>
  statements.map((statement) => ({ by: 'sql', statement: forPaste(statement) }));
export const aws = (...statements: string[]): Mend[] => statements.map((statement) => ({ by: 'aws', statement }));

/** Keeps the types of a rule's section. */
export function defineRule<const Name extends keyof Sections>(rule: Rule<Name>): Rule<Name> {
  return rule;
}

/** Things whose mending is told; the next run tells of more. */
const MENDED = 100;

interface ListRule<Name extends keyof Sections, Item> extends Omit<Rule<Name>, 'judge'> {
  /** What is wrong in a reading; a judgement where there is nothing to look at. */
  offenders(reading: Sections[Name], context: Context): readonly Item[] | Judgement;
  /** How one is named. */
  name(item: Item): string;
  mend(item: Item, context: Context): Mend[];
}

/** A rule that fails while there is anything of a kind. */
export function listRule<const Name extends keyof Sections, Item>({
  offenders,
  name,
  mend,
  ...rule
}: ListRule<Name, Item>): Rule<Name> {
  return {
    ...rule,
    judge(reading, context) {
      const found = offenders(reading, context);
      if ('status' in found) return found;
      if (found.length === 0) return pass('None');
      return fail(
        `${found.length}: ${listed(found.map(name))}`,
        found.slice(0, MENDED).flatMap((item) => mend(item, context)),
      );
    },
  };
}
