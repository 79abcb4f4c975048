import type pg from 'pg';
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

interface Disabled {
  table: string;
  name: string;
  kind: 'TRIGGER' | 'RULE';
  mode: 'O' | 'A' | 'R';
}

interface ForeignKey {
  table: string;
  name: string;
  definition: string;
  validated: boolean;
  partitioned: boolean;
}

const ENABLE = { O: 'ENABLE', A: 'ENABLE ALWAYS', R: 'ENABLE REPLICA' } as const;

/**
 * A login that may, takes the role of a replication session: then only what is meant for such sessions acts, and is disabled. Any
 * other owner of the tables disables all triggers and rules, and takes foreign keys away for as long as it lasts.
 */
export async function silenceTriggers(client: pg.Client): Promise<Silence> {
  const isReplica = await becomeReplica(client);
  const modes = isReplica ? ['A', 'R'] : ['O', 'A'];
  const disabled = new Map<string, Disabled>();
  let keys: ForeignKey[] = [];

  const silence = async (): Promise<void> => {
    for (const each of (await client.query<Disabled>(activeTriggersSql, [modes])).rows) {
      await client.query(`ALTER TABLE ONLY ${each.table} DISABLE ${each.kind} ${each.name}`);
      disabled.set(`${each.table} ${each.kind} ${each.name}`, each);
    }
    if (isReplica) return;
    keys = (await client.query<ForeignKey>(foreignKeysSql)).rows;
    for (const { table, name } of keys) await client.query(`ALTER TABLE ${table} DROP CONSTRAINT ${name}`);
  };
  const restore = async (check: boolean): Promise<void> => {
    for (const { table, name, kind, mode } of disabled.values()) {
      // It may have gone with its table meanwhile.
      await client.query('SAVEPOINT enabling').catch(() => undefined);
      await client.query(`ALTER TABLE ONLY ${table} ${ENABLE[mode]} ${kind} ${name}`).catch(async (error: unknown) => {
        if (!['42P01', '42704', '3F000'].includes((error as { code?: string }).code ?? '')) throw error;
        await client.query('ROLLBACK TO SAVEPOINT enabling').catch(() => undefined);
      });
    }
    disabled.clear();
    for (const { table, name, definition, validated, partitioned } of keys) {
      // A partitioned table takes no foreign key that is not checked.
      const unchecked = check || partitioned || definition.endsWith(' NOT VALID') || !validated ? '' : ' NOT VALID';
      await client.query(`ALTER TABLE ${table} ADD CONSTRAINT ${name} ${definition}${unchecked}`);
    }
    keys = [];
  };

  await silence();
  return {
    renew: silence,
    suspend: () => restore(false),
    async end() {
      await restore(true);
      if (isReplica) await client.query('RESET session_replication_role');
    },
  };
}

async function becomeReplica(client: pg.Client): Promise<boolean> {
  try {
    await client.query('SET session_replication_role = replica');
    return true;
  } catch (error) {
    if ((error as { code?: string }).code !== '42501') throw error;
    return false;
  }
}
