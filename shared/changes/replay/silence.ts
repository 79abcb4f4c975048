import type pg from 'pg';
import * as z from 'zod';
import type { ReplayMemory } from './memory.ts';
import { activeTriggersSql, foreignKeysSql } from './silence.sql.ts';

/** Keeps triggers, rules and foreign keys from acting on what a replay writes: what they did is among the changes. */
export interface Silence {
  /** Also silences what has come since. */
  renew(): Promise<void>;
  /** Brings back what definitions may refer to, before one is changed. */
  suspend(): Promise<void>;
  /** Leaves everything as it was, and has foreign keys checked that were valid. */
  end(): Promise<void>;
}

const silencedSchema = z.object({
  disabled: z.array(
    z.object({ table: z.string(), name: z.string(), kind: z.enum(['TRIGGER', 'RULE']), mode: z.enum(['O', 'A', 'R']) }),
  ),
  keys: z.array(
    z.object({
      table: z.string(),
      name: z.string(),
      definition: z.string(),
      validated: z.boolean(),
      partitioned: z.boolean(),
    }),
  ),
});

type Silenced = z.output<typeof silencedSchema>;

const ENABLE = { O: 'ENABLE', A: 'ENABLE ALWAYS', R: 'ENABLE REPLICA' } as const;

/**
 * A login that may, takes the role of a replication session: then only what is meant for such sessions acts, and is disabled. Any
 * other owner of the tables disables all triggers and rules, and takes foreign keys away for as long as it lasts. What was done is
 * kept in the database, so that it can be undone when another attempt goes on.
 *
 * @param client - in a transaction, as all that this and what it answers do
 */
export async function silenceTriggers(client: pg.Client, isReplica: boolean, memory: ReplayMemory): Promise<Silence> {
  const modes = isReplica ? ['A', 'R'] : ['O', 'A'];
  const known = silencedSchema.safeParse(JSON.parse((await memory.silenced()) ?? 'null'));
  let { disabled, keys }: Silenced = known.success ? known.data : { disabled: [], keys: [] };

  const silence = async (): Promise<void> => {
    const { rows } = await client.query<Silenced['disabled'][number]>(activeTriggersSql, [modes]);
    for (const { table, kind, name } of rows) await client.query(`ALTER TABLE ONLY ${table} DISABLE ${kind} ${name}`);
    disabled.push(...rows);
    if (!isReplica) {
      const { rows: found } = await client.query<Silenced['keys'][number]>(foreignKeysSql);
      for (const { table, name } of found) await client.query(`ALTER TABLE ${table} DROP CONSTRAINT ${name}`);
      keys.push(...found);
    }
    await memory.rememberSilenced(JSON.stringify({ disabled, keys }));
  };
  const restore = async (check: boolean): Promise<void> => {
    for (const { table, name, kind, mode } of disabled) {
      // It may have gone with its table meanwhile.
      await client.query('SAVEPOINT enabling');
      await client.query(`ALTER TABLE ONLY ${table} ${ENABLE[mode]} ${kind} ${name}`).catch(async (error: unknown) => {
        if (!['42P01', '42704', '3F000'].includes((error as { code?: string }).code ?? '')) throw error;
        await client.query('ROLLBACK TO SAVEPOINT enabling');
      });
    }
    for (const { table, name, definition, validated, partitioned } of keys) {
      // A partitioned table takes no foreign key that is not checked.
      const unchecked = check || partitioned || definition.endsWith(' NOT VALID') ? '' : ' NOT VALID';
      await client.query(`ALTER TABLE ${table} ADD CONSTRAINT ${name} ${definition}${unchecked}`);
      // So that it is not taken for one that never was valid.
      if (unchecked !== '' && validated) revalidate.add(`${table} ${name}`);
    }
    disabled = [];
    keys = [];
  };
  const revalidate = new Set<string>();

  await silence();
  return {
    async renew() {
      await silence();
      for (const key of keys) {
        if (!revalidate.has(`${key.table} ${key.name}`)) continue;
        key.definition = key.definition.replace(/ NOT VALID$/, '');
        key.validated = true;
      }
      revalidate.clear();
      await memory.rememberSilenced(JSON.stringify({ disabled, keys }));
    },
    suspend: () => restore(false),
    end: () => restore(true),
  };
}

/** Whether the login may take the role of a replication session; if so, it has it now. */
export async function becomeReplica(client: pg.Client): Promise<boolean> {
  try {
    await client.query('SET session_replication_role = replica');
    return true;
  } catch (error) {
    if ((error as { code?: string }).code !== '42501') throw error;
    return false;
  }
}
