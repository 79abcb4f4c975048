import { setTimeout } from 'node:timers/promises';
import type pg from 'pg';
import { quoteIdentifier } from '../../../postgres/identifiers.ts';
import { LOCK_NOT_AVAILABLE } from '../../../postgres/session-errors.ts';
import { backupLocation } from '../../location.ts';
import type { ObjectStore } from '../../objects/object-store.ts';
import { explainRestoreFailure } from '../failure.ts';
import { readManifest } from '../prepare.ts';
import { dropRecord, type RestoreRecord, readRecord, recordItem, recordTable } from '../restore-record.ts';
import { orderByKeys } from './foreign-key-order.ts';
import { filledPlaces, foldersBeside } from './places.ts';
import { endEarlierSessions, openRowsSession, type RowsPlace } from './session.ts';
import {
  type ForeignKey,
  findRelations,
  fromRelation,
  mayReplicate,
  type Relation,
  readForeignKeys,
  readTriggers,
  type TableName,
} from './target.ts';
import { switchTriggers } from './triggers.ts';
import { isOutcome } from './verify-keys.ts';

/** How long sessions of the failed attempt may take to end, and the backup's description to be read. Milliseconds. */
const PREPARING_MS = 60_000;
const OBJECTS_PER_TRANSACTION = 1000;
/** A table that others use is not had at once. */
const MAX_ATTEMPTS = 6;
const BETWEEN_ATTEMPTS_MS = 2000;
const DEADLOCK = '40P01';
const BUSY = new Set([LOCK_NOT_AVAILABLE, DEADLOCK]);

/**
 * Takes back the rows that a restore has loaded into existing tables, by its record, and then the record. A row is the restore's
 * when the transaction that wrote it is one that the record was written in. Rows that others have added or changed stay, and so
 * does what they refer to.
 *
 * @returns in words, what could not be taken back; the record is then kept
 */
export async function takeBackRows(
  place: RowsPlace,
  backup: { store: ObjectStore; database: string; backupId: string },
): Promise<string[]> {
  const client = await openRowsSession(place);
  try {
    const signal = AbortSignal.timeout(PREPARING_MS);
    await endEarlierSessions(client, place, signal);
    const record = await readRecord(client, place.record);
    if (!record) return [];
    if (record.has(recordItem.largeObjects)) {
      const source = { store: backup.store, location: backupLocation(backup.database, backup.backupId) };
      const { large_objects: large } = await readManifest(source, signal);
      await unlinkObjects(
        client,
        place.record,
        large.objects.map(({ oid }) => oid),
      );
    }
    const found = await findRelations(client, filledPlaces(record));
    const relations = found.flatMap((each) => each?.relation ?? []);
    const left = await removeRows(client, place.record, relations, (kept) =>
      forget(client, place.record, record, kept),
    );
    if (left.length === 0) await dropRecord(client, place.record);
    return left;
  } catch (error) {
    throw explainRestoreFailure(error);
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function unlinkObjects(client: pg.Client, record: string, numbers: readonly number[]): Promise<void> {
  for (let start = 0; start < numbers.length; start += OBJECTS_PER_TRANSACTION) {
    await client.query(
      'SELECT pg_catalog.lo_unlink(oid) FROM pg_catalog.pg_largeobject_metadata WHERE oid = ANY ($1::oid[])',
      [numbers.slice(start, start + OBJECTS_PER_TRANSACTION)],
    );
  }
  await client.query(`DELETE FROM ${recordTable(record)} WHERE item = $1`, [recordItem.largeObjects]);
}

/** Takes from the record what is no longer there, so that a restore which goes on loads it again. */
async function forget(
  client: pg.Client,
  schema: string,
  record: RestoreRecord,
  kept: readonly TableName[],
): Promise<void> {
  await client.query(
    `DELETE FROM ${recordTable(schema)} WHERE item = ANY ($1::text[])
        OR EXISTS (SELECT FROM pg_catalog.unnest($2::text[]) AS folder WHERE pg_catalog.starts_with(item, folder))`,
    [[...record.items].filter(isOutcome), foldersBeside(record, kept).map(recordItem.chunk)],
  );
}

/** @param forget - is told of the relations whose rows stay, when others are removed */
async function removeRows(
  client: pg.Client,
  record: string,
  relations: readonly Relation[],
  forget: (kept: readonly TableName[]) => Promise<void>,
): Promise<string[]> {
  if (relations.length === 0) return [];
  const members = relations.flatMap((relation) => relation.members);
  const replica = await mayReplicate(client);
  const keys = await readForeignKeys(client, members);
  const triggers = (await readTriggers(client, members)).filter(
    ({ owned, enabled }) => owned && enabled !== (replica ? 'O' : 'R'),
  );
  const { off, on } = switchTriggers(triggers);
  for (let attempt = 1; ; attempt++) {
    try {
      return await removeOnce();
    } catch (error) {
      await client.query('ROLLBACK').catch(() => undefined);
      if (attempt === MAX_ATTEMPTS || !BUSY.has((error as { code?: string }).code ?? '')) throw error;
      await setTimeout(BETWEEN_ATTEMPTS_MS);
    }
  }

  async function removeOnce(): Promise<string[]> {
    await client.query('BEGIN');
    if (replica) await client.query('SET LOCAL session_replication_role = replica');
    // Whoever would add a row, or one that refers to a row here, waits from now on.
    await client.query(`LOCK TABLE ${relations.map(fromRelation).join(', ')} IN ACCESS EXCLUSIVE MODE`);
    for (const statement of off) await client.query(statement);
    const mixed = await findMixed(client, record, relations);
    const kept = await findKept(client, record, relations, keys, mixed);
    const taken = relations.filter(({ oid }) => !kept.has(oid));
    const emptied = await truncate(
      client,
      taken.filter(({ oid }) => !mixed.has(oid)),
      keys,
    );
    await client.query('SET CONSTRAINTS ALL DEFERRED');
    for (const relation of childrenFirst(
      taken.filter(({ oid }) => !emptied.has(oid)),
      keys,
    )) {
      await client.query(`DELETE FROM ${fromRelation(relation)} WHERE ${isOurs(record)}`);
    }
    await client.query('SET CONSTRAINTS ALL IMMEDIATE');
    await forget(relations.filter(({ oid }) => kept.has(oid)));
    for (const statement of on) await client.query(statement);
    await client.query('COMMIT');
    return [...kept.values()];
  }
}

/** Whether a row was written by a transaction that wrote to the record. */
const isOurs = (record: string, row = ''): string => `${row}xmin IN (SELECT xmin FROM ${recordTable(record)})`;

async function exists(client: pg.Client, query: string): Promise<boolean> {
  const { rows } = await client.query<{ found: boolean }>(`SELECT EXISTS (${query}) AS found`);
  return rows[0]?.found ?? false;
}

/** Numbers of the relations that have rows of others as well. */
async function findMixed(client: pg.Client, record: string, relations: readonly Relation[]): Promise<Set<string>> {
  const mixed = new Set<string>();
  for (const relation of relations) {
    const others = `SELECT FROM ${fromRelation(relation)} WHERE NOT ${isOurs(record)}`;
    if (await exists(client, others)) mixed.add(relation.oid);
  }
  return mixed;
}

/** The relations whose rows must stay, as rows of others refer to them or to what refers to them; with the reason in words. */
async function findKept(
  client: pg.Client,
  record: string,
  relations: readonly Relation[],
  keys: readonly ForeignKey[],
  mixed: ReadonlySet<string>,
): Promise<Map<string, string>> {
  const byMember = new Map(relations.flatMap((relation) => relation.members.map((oid) => [oid, relation] as const)));
  const parentsOf = (key: ForeignKey): Relation[] => [
    ...new Set(key.referenced.flatMap((oid) => byMember.get(oid) ?? [])),
  ];
  const kept = new Map<string, string>();
  const keep = (relation: Relation, why: string): void => {
    if (kept.has(relation.oid)) return;
    kept.set(relation.oid, `the rows of ${relation.schema}.${relation.name} stay, as ${why}`);
    for (const key of keys) {
      if (byMember.get(key.child)?.oid !== relation.oid) continue;
      for (const parent of parentsOf(key)) keep(parent, `${relation.schema}.${relation.name} refers to them`);
    }
  };
  for (const relation of relations) {
    if (mixed.has(relation.oid) && !relation.deletable) {
      keep(relation, 'others have added rows, and the login may not delete single ones');
    }
  }
  for (const key of keys) {
    const child = byMember.get(key.child);
    // All rows of the child are the restore's own, and go with the parent's.
    if (child && !mixed.has(child.oid)) continue;
    for (const parent of parentsOf(key)) {
      const why = `rows that others added to ${key.child_schema}.${key.child_name} refer to them`;
      if (!key.child_readable) keep(parent, `the login may not see whether ${why}`);
      else if (await exists(client, othersReferring(record, key, parent))) keep(parent, why);
    }
  }
  return kept;
}

function othersReferring(record: string, key: ForeignKey, parent: Relation): string {
  const child = fromRelation({
    schema: key.child_schema,
    name: key.child_name,
    kind: key.child_partitioned ? 'p' : 'r',
  });
  const columns = key.period ? key.columns.slice(0, -1) : key.columns;
  const refers = columns.map(
    ({ child: mine, parent: theirs, operator, collation }) =>
      `parent.${quoteIdentifier(theirs)} ${operator} child.${quoteIdentifier(mine)}${collation === null ? '' : ` COLLATE ${collation}`}`,
  );
  const conditions = [...refers, isOurs(record, 'parent.'), `NOT ${isOurs(record, 'child.')}`];
  return `SELECT FROM ${child} AS child, ${fromRelation(parent)} AS parent WHERE ${conditions.join(' AND ')}`;
}

/**
 * Truncates those of the relations to which no other relation refers: the server truncates what is referred to only together with
 * what refers to it, be that empty or not.
 *
 * @returns the numbers of the truncated ones
 */
async function truncate(
  client: pg.Client,
  relations: readonly Relation[],
  keys: readonly ForeignKey[],
): Promise<Set<string>> {
  let chosen = relations.filter(({ truncatable }) => truncatable);
  for (;;) {
    const members = new Set(chosen.flatMap((relation) => relation.members));
    const outside = keys.filter(({ child }) => !members.has(child)).flatMap(({ referenced }) => referenced);
    const referred = new Set(outside);
    const next = chosen.filter((relation) => !relation.members.some((oid) => referred.has(oid)));
    if (next.length === chosen.length) break;
    chosen = next;
  }
  if (chosen.length === 0) return new Set();
  await client.query('SAVEPOINT before_truncate');
  try {
    await client.query(`TRUNCATE ${chosen.map(fromRelation).join(', ')}`);
    return new Set(chosen.map(({ oid }) => oid));
  } catch (error) {
    // feature_not_supported: a key refers to them that is not enforced. Their rows are then deleted.
    if ((error as { code?: string }).code !== '0A000') throw error;
    await client.query('ROLLBACK TO SAVEPOINT before_truncate');
    return new Set();
  }
}

function childrenFirst(relations: readonly Relation[], keys: readonly ForeignKey[]): Relation[] {
  const byMember = new Map(
    relations.flatMap((relation) => relation.members.map((oid) => [oid, relation.oid] as const)),
  );
  const edges = keys.flatMap(({ child, referenced, deferrable }) =>
    [...new Set(referenced.flatMap((oid) => byMember.get(oid) ?? []))].flatMap((parent) => {
      const from = byMember.get(child);
      return from === undefined ? [] : [{ child: from, parent, deferrable }];
    }),
  );
  const { levels } = orderByKeys(
    relations.map(({ oid }) => oid),
    edges,
  );
  const byOid = new Map(relations.map((relation) => [relation.oid, relation]));
  const parentsFirst = levels.flat().flatMap(({ tables }) => tables.flatMap((oid) => byOid.get(oid) ?? []));
  return parentsFirst.reverse();
}
