import type pg from 'pg';
import { openCaptureSession } from '../../../shared/changes/capture/session.ts';
import { peekSql } from '../../../shared/changes/capture/slot.sql.ts';
import { copyOut } from '../../../shared/postgres/copy/copy-out.ts';
import { quoteLiteral } from '../../../shared/postgres/identifiers.ts';
import type { ScratchDatabase } from '../../support/servers.ts';

/** Reads lines of `test_decoding` from a slot that is dropped with its database. */
export interface SlotReader {
  /** Lines since the last call, without their positions. */
  next(): Promise<string[]>;
  /** What COPY says, in lines read as latin1. */
  copy(query: string): Promise<string[]>;
  close(): Promise<void>;
}

export async function openSlot(database: ScratchDatabase): Promise<SlotReader> {
  const client = await openCaptureSession(database.target());
  const slot = `test_${database.name}`;
  await client.query("SELECT pg_create_logical_replication_slot($1, 'test_decoding')", [slot]);
  return {
    async next() {
      const lines = await copyLines(client, peekSql(quoteLiteral(slot), 'NULL', 'NULL'));
      const last = lines.at(-1)?.split('\t')[0];
      if (last) await client.query('SELECT pg_replication_slot_advance($1, $2::pg_lsn)', [slot, last]);
      return lines.map((line) => line.slice(line.indexOf('\t') + 1));
    },
    copy: (query) => copyLines(client, query),
    async close() {
      await client.query('SELECT pg_drop_replication_slot($1)', [slot]);
      await client.end();
    },
  };
}

async function copyLines(client: pg.Client, query: string): Promise<string[]> {
  let text = '';
  const consume = async (block: Buffer): Promise<void> => {
    text += block.toString('latin1');
  };
  await copyOut(client, `COPY (${query}) TO STDOUT`, consume, { signal: new AbortController().signal });
  return text.split('\n').slice(0, -1);
}
