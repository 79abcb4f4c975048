import type pg from 'pg';
import type { Manifest } from '../../backup/manifest.ts';
import type { ObjectStore } from '../../backup/objects/object-store.ts';
import { withoutOwnSchemas } from '../../backup/restore/leave-out.ts';
import { createEntry } from '../../backup/restore/schema-entry.ts';
import { OperationError } from '../../errors.ts';
import type { Definitions } from '../../postgres/definitions/catalog-seen.ts';
import { muteEventTriggers, readUnmuting } from '../../postgres/event-triggers/muting.ts';
import { REPLAY_SCHEMA } from '../../postgres/own-schema.ts';
import type { ParseStatements } from '../../postgres/parse-statements.ts';
import type { SchemaDump, SchemaEntry } from '../../postgres/pg-dump/schema-dump.ts';
import { openWasmServer } from '../../postgres/wasm-server/wasm-server.ts';
import { MESSAGE_PREFIX } from '../definitions/event-triggers.sql.ts';
import { definitionReplay } from '../replay/definitions.ts';
import { textDecoder } from '../replay/text-decoder.ts';
import { type ReplayItem, readTransactions } from '../replay/transactions.ts';
import { isSeen } from '../transaction-ids.ts';
import type { PlannedReplay } from '../window/plan-replay.ts';
import { definitionDifferences } from './differences.ts';
import { rehearsalSandbox } from './rehearsal-sandbox.ts';

/** What a rehearsal has shown. */
export type Rehearsal =
  /** Every change of definitions was repeated; `compared`: and the definitions are those of the source. */
  | { outcome: 'repeated'; compared: boolean }
  /** A change could not be repeated, or (without a tag) what came of all of them is not as in the source. */
  | { outcome: 'blocked'; reason: string; commit: { lsn: string; xid: string; committedAt: string } | null }
  /** It could not be rehearsed here, as of an extension that only the source has. It says nothing of the window. */
  | { outcome: 'unknown'; reason: string };

export interface RehearsalRequest {
  manifest: Pick<Manifest, 'roles'>;
  schema: SchemaDump;
  plan: PlannedReplay;
  /** The source's, as of the end of the plan; null: they are not compared. */
  definitions: Definitions | null;
  /** The major version of the source. */
  version: number;
}

export interface RehearsalDependencies {
  store: ObjectStore;
  parse: ParseStatements;
  postgresToolsPath: string;
  signal: AbortSignal;
}

/** It is newer than, or as new as, any source. */
const OWN_VERSION = 18;

/**
 * Repeats the changes of definitions of a window on an empty database made from its base's definitions, without a row, as the restore would
 * repeat them: by the same judge and the same code. It runs in a server of its own, in memory, which the code of the source's users cannot
 * leave.
 *
 * @throws OperationError of the store; the reason of `signal`
 */
export async function rehearse(
  { manifest, schema: whole, plan, definitions, version }: RehearsalRequest,
  { store, parse, postgresToolsPath, signal }: RehearsalDependencies,
): Promise<Rehearsal> {
  const schema = withoutOwnSchemas(whole);
  const names = schema.entries.filter(({ type }) => type === 'EXTENSION').map(({ name }) => name);
  const wanted = [...new Set([...names, ...extensionsIn(plan)])];
  const server = await openWasmServer({ postgresToolsPath, extensions: wanted, signal });
  const { client } = server;
  try {
    const sandbox = rehearsalSandbox(client);
    for (const { name } of manifest.roles) await sandbox.ensureRole(name);
    try {
      await createBase(client, schema.entries);
    } catch (error) {
      if (signal.aborted) throw error;
      return { outcome: 'unknown', reason: `The definitions of the full backup: ${(error as Error).message}` };
    }
    const encoding = plan.segments[0]?.encoding ?? 'UTF8';
    const decodeText = textDecoder(client, encoding);
    const replay = definitionReplay({
      ...{ client, parse, sandbox, decodeText, mayBeMissing: false },
      ...{ roleOf: (role: string) => role, ownersLeftOut: false },
    });
    const told = plan.segments.filter(({ definition_changes: changes }) => changes.length > 0);
    const wantedItems = { segments: told, after: plan.from, lastCommit: plan.lastCommit };
    const seen = (xid: bigint): boolean => isSeen(plan.snapshot, xid);
    const heard = new Set<string>();
    let messages: Extract<ReplayItem, { kind: 'message' }>[] = [];
    for await (const items of readTransactions(store, { ...wantedItems, isSeen: seen }, signal)) {
      for (const item of items) {
        if (item.kind === 'message' && item.prefix === MESSAGE_PREFIX && item.transactional) messages.push(item);
        if (item.kind !== 'commit') continue;
        const { lsn, xid, committedAt } = item;
        const commit = { lsn, xid: String(xid), committedAt };
        heard.clear();
        for (const message of messages) {
          const verdict = plan.verify(message.content, { xid: message.xid, heard });
          if (verdict.kind !== 'authentic') continue;
          for (const role of await rolesOf(verdict.message, decodeText)) await sandbox.ensureRole(role);
          await client.query('BEGIN');
          try {
            await replay.repeat(verdict.message, message.begun?.includes(verdict.id) ?? null);
            await client.query('COMMIT');
          } catch (error) {
            if (signal.aborted) throw signal.reason ?? error;
            const reason = reasonOf(error);
            if (NOT_HERE.test(reason)) return { outcome: 'unknown', reason };
            return { outcome: 'blocked', reason, commit };
          }
        }
        messages = [];
      }
    }
    if (definitions === null) return { outcome: 'repeated', compared: false };
    const unmuting = await readUnmuting(client);
    await client.query(`DROP SCHEMA ${REPLAY_SCHEMA} CASCADE`);
    for (const statement of unmuting) await client.query(statement);
    const differences = await definitionDifferences(client, definitions, { sameVersion: version === OWN_VERSION });
    if (differences.length === 0) return { outcome: 'repeated', compared: true };
    const reason = `The definitions that come of repeating all changes are not those of the database: ${differences.slice(0, 10).join('; ')}`;
    return { outcome: 'blocked', reason, commit: null };
  } finally {
    await server.close();
  }
}

/** What is not in this server, or not in it so, and says nothing of another one. */
const NOT_HERE =
  /extension ".*" is not available|could not (open extension control|access) file|collation ".*" for encoding|could not create locale|ICU is not supported|tablespace ".*" does not exist|No such file or directory|not supported by this build|language ".*" does not exist/i;

const reasonOf = (error: unknown): string =>
  (error as Error).message.replace(/^What follows cannot be replayed: /, error instanceof OperationError ? '' : '$&');

function extensionsIn({ segments }: PlannedReplay): string[] {
  // Which ones, the text says; all that there are would do, but each is loaded.
  const may = segments.some(({ definition_changes: changes }) => changes.some(({ tag }) => tag === 'CREATE EXTENSION'));
  return may
    ? [
        'hstore',
        'citext',
        'pg_trgm',
        'pgcrypto',
        'uuid-ossp',
        'ltree',
        'intarray',
        'btree_gist',
        'btree_gin',
        'unaccent',
      ]
    : [];
}

/** Who runs a command, and whoever it gives privileges to. */
async function rolesOf(
  message: Parameters<ReturnType<typeof definitionReplay>['repeat']>[0],
  decodeText: (bytes: string) => Promise<string>,
): Promise<string[]> {
  const acls = message.event === 'end' ? (message.acls ?? []) : [];
  const names = [
    message.role,
    ...acls.flatMap(({ owner, acl }) => [owner, ...acl.flatMap(([to, , , by]) => [to, by])]),
  ];
  return Promise.all([...new Set(names)].map(decodeText));
}

async function createBase(client: pg.Client, entries: readonly SchemaEntry[]): Promise<void> {
  await client.query("SELECT pg_catalog.set_config('search_path', '', false)");
  await client.query('SET check_function_bodies = off; SET xmloption = content; SET row_security = off');
  const isLast = ({ type }: SchemaEntry): boolean => type === 'EVENT TRIGGER';
  for (const entry of entries) if (!isLast(entry)) await createEntry(client, entry);
  await client.query('BEGIN');
  for (const entry of entries) if (isLast(entry)) await client.query(entry.sql);
  await muteEventTriggers(client);
  await client.query('COMMIT');
}
