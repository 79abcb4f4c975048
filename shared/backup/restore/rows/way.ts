import type pg from 'pg';
import { listed } from '../../../listed.ts';
import type { Manifest } from '../../manifest.ts';
import type { Finding } from '../findings.ts';
import type { Destination } from './destinations.ts';
import { type KeyEdge, orderByKeys } from './foreign-key-order.ts';
import { notValidConstraintsSql } from './target.sql.ts';
import { type ForeignKey, mayReplicate, type Relation, readForeignKeys, readTriggers, type Trigger } from './target.ts';

/** A relation with the tables of the backup whose rows it takes. */
export interface LoadUnit {
  into: Relation;
  tables: Manifest['tables'];
  /** Its rows refer to each other, and the server checks that when a statement ends. */
  refersToItself: boolean;
  /** Triggers to be turned off while it is loaded. */
  triggers: Trigger[];
}

/** Units that are loaded in one transaction if there are several of them. */
export interface LoadGroup {
  units: LoadUnit[];
  isCircle: boolean;
}

/** How rows come into tables that have triggers and foreign keys. */
export interface LoadWay {
  /** Under `session_replication_role = replica`: in any order, checked at the end. */
  replica: boolean;
  /** Loaded one level after the other. */
  levels: LoadGroup[][];
  /** To be checked when all rows are loaded. */
  keys: ForeignKey[];
  /** All relations that may get rows, by their numbers. */
  members: string[];
}

const nameOf = ({ schema, name }: { schema: string; name: string }): string => `${schema}.${name}`;

/**
 * Decides how the rows are to be loaded: with foreign keys and triggers off where the login may turn them off for its session,
 * otherwise in the order of the foreign keys, with its own tables' triggers off.
 */
export async function chooseWay(
  client: pg.Client,
  destinations: readonly Destination[],
  problems: Finding[],
  warnings: Finding[],
): Promise<LoadWay> {
  const units = new Map<string, LoadUnit>();
  const unitsOf = new Map<string, LoadUnit[]>();
  for (const { table, into } of destinations) {
    const known = units.get(into.oid);
    if (known) {
      known.tables.push(table);
      continue;
    }
    const unit: LoadUnit = { into, tables: [table], refersToItself: false, triggers: [] };
    units.set(into.oid, unit);
    for (const member of into.members) unitsOf.set(member, [...(unitsOf.get(member) ?? []), unit]);
  }
  const members = [...unitsOf.keys()];
  const replica = await mayReplicate(client);
  const all = (await readForeignKeys(client, members)).filter(({ child }) => unitsOf.has(child));
  const numbers = new Set(all.map(({ oid }) => oid));
  const own = all.filter((key) => key.inherited_from === null || !numbers.has(key.inherited_from));
  const keys = replica ? own.filter(({ validated }) => validated) : [];
  const levels = replica
    ? [[...units.values()].map((unit): LoadGroup => ({ units: [unit], isCircle: false }))]
    : orderUnits(units, unitsOf, all, problems);

  const triggers = (await readTriggers(client, members)).filter(
    ({ on_insert: onInsert, enabled }) => onInsert && enabled !== (replica ? 'O' : 'R'),
  );
  for (const trigger of triggers) {
    if (trigger.owned) for (const unit of unitsOf.get(trigger.relation) ?? []) unit.triggers.push(trigger);
  }
  tellWay({ replica, keys, triggers, levels }, problems, warnings);
  await tellNotValid(client, members, unitsOf, replica, warnings);
  return { replica, levels, keys, members };
}

function orderUnits(
  units: ReadonlyMap<string, LoadUnit>,
  unitsOf: ReadonlyMap<string, readonly LoadUnit[]>,
  keys: readonly ForeignKey[],
  problems: Finding[],
): LoadGroup[][] {
  const edges = keys.flatMap(({ child, referenced, deferrable }): KeyEdge[] => {
    const parents = new Set(referenced.flatMap((oid) => unitsOf.get(oid) ?? []));
    return (unitsOf.get(child) ?? []).flatMap((unit) =>
      [...parents].map((parent) => ({ child: unit.into.oid, parent: parent.into.oid, deferrable })),
    );
  });
  for (const { child, parent } of edges) {
    const unit = units.get(child);
    if (unit && child === parent) unit.refersToItself = true;
  }
  const { levels, circles } = orderByKeys([...units.keys()], edges);
  for (const circle of circles) {
    const among = keys.filter(
      ({ child, referenced, deferrable }) =>
        !deferrable &&
        unitsOf.get(child)?.some(({ into }) => circle.includes(into.oid)) &&
        referenced.some((oid) => unitsOf.get(oid)?.some(({ into }) => circle.includes(into.oid))),
    );
    problems.push({
      code: 'foreign_key_circle',
      message: `The tables ${listed(circle.flatMap((oid) => units.get(oid)?.into ?? []).map(nameOf))} refer to each other in a circle: no order satisfies the foreign keys ${listed([...new Set(among.map(({ name, child_schema, child_name }) => `${name} of ${child_schema}.${child_name}`))])}`,
      nextStep:
        'Make one of them DEFERRABLE, or give the login the right to turn them off: GRANT SET ON PARAMETER session_replication_role (PostgreSQL 15 and later), or rds_superuser.',
    });
  }
  return levels.map((groups) =>
    groups.map(({ tables, isCircle }) => ({ units: tables.flatMap((oid) => units.get(oid) ?? []), isCircle })),
  );
}

function tellWay(
  { replica, keys, triggers, levels }: Pick<LoadWay, 'replica' | 'keys' | 'levels'> & { triggers: readonly Trigger[] },
  problems: Finding[],
  warnings: Finding[],
): void {
  warnings.push(
    replica
      ? {
          code: 'triggers_off',
          message:
            'Triggers and foreign keys are off while rows are loaded (session_replication_role = replica); the foreign keys are checked when all rows are there',
          nextStep: 'Do yourself what the triggers would have done, if the rows do not show it already.',
        }
      : {
          code: 'foreign_key_order',
          message:
            'The login may not set session_replication_role: tables are loaded in the order of their foreign keys, which the server checks row by row',
          nextStep: 'For a faster load, GRANT SET ON PARAMETER session_replication_role (PostgreSQL 15 and later).',
        },
  );
  const circles = levels.flat().filter(({ isCircle }) => isCircle);
  for (const { units } of circles) {
    warnings.push({
      code: 'circle_deferred',
      message: `The tables ${listed(units.map(({ into }) => nameOf(into)))} refer to each other: they are loaded in one transaction with deferred checks`,
      nextStep: 'Nothing; an interruption begins them anew.',
    });
  }
  const named = (some: readonly Trigger[]): string =>
    listed(some.map(({ schema, table, name }) => `${name} of ${schema}.${table}`));
  const off = triggers.filter(({ owned }) => owned);
  const firing = triggers.filter(({ owned }) => !owned);
  if (off.length > 0) {
    warnings.push({
      code: 'triggers_disabled',
      message: `These triggers are turned off in each transaction that loads rows, with a lock that keeps other writers of their tables out: ${named(off)}`,
      nextStep: 'Do yourself what they would have done, if the rows do not show it already.',
    });
  }
  if (firing.length > 0) {
    warnings.push({
      code: 'triggers_fire',
      message: `These triggers fire as rows are loaded, as the login does not own their tables: ${named(firing)}`,
      nextStep: 'Make the login a member of the owner, or check afterwards what they did.',
    });
  }
  const unreadable = keys.filter(({ parent_readable: readable }) => !readable);
  if (unreadable.length > 0) {
    problems.push({
      code: 'parents_unreadable',
      message: `The login may not read what these foreign keys refer to, so they cannot be checked: ${listed(unreadable.map(({ name, child_schema, child_name }) => `${name} of ${child_schema}.${child_name}`))}`,
      nextStep: 'GRANT SELECT on the parent tables, and USAGE on their schemas, to the login.',
    });
  }
}

/** Rows that a constraint was never checked for may be what it refuses. */
async function tellNotValid(
  client: pg.Client,
  members: readonly string[],
  unitsOf: ReadonlyMap<string, readonly LoadUnit[]>,
  replica: boolean,
  warnings: Finding[],
): Promise<void> {
  const { rows } = await client.query<{ name: string; relation: string; type: string }>(notValidConstraintsSql, [
    members,
  ]);
  const refusing = rows.filter(({ type }) => !(replica && type === 'f'));
  if (refusing.length === 0) return;
  const named = refusing.flatMap(({ name, relation }) =>
    (unitsOf.get(relation) ?? []).map(({ into }) => `${name} of ${nameOf(into)}`),
  );
  warnings.push({
    code: 'constraints_not_valid',
    message: `These constraints are NOT VALID: rows that were there before them may break them, and the server refuses such rows now: ${listed([...new Set(named)])}`,
    nextStep: 'If the restore fails by one of them, drop it, load, and add it again as NOT VALID.',
  });
}
