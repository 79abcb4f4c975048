import type pg from 'pg';
import { toBytesSql, toTextsSql } from './row-table.sql.ts';

/** Texts between the request and the stored lines, which hold a character for each byte of the database's encoding. */
export interface Texts {
  toBytes(texts: readonly string[]): Promise<string[]>;
  /** @returns what each stored text says */
  fromBytes(texts: Iterable<string>): Promise<(text: string) => string>;
}

const hex = (text: string): string => Buffer.from(text, 'latin1').toString('hex');
const ofHex = (text: string): string => Buffer.from(text, 'hex').toString('latin1');

/** @param client - translates other encodings than UTF8; null: none does, and texts are taken for UTF-8 */
export function textsOf(encoding: string, client: pg.Client | null): Texts {
  if (client === null || encoding === 'UTF8' || encoding === 'SQL_ASCII') {
    return {
      toBytes: async (texts) => texts.map((text) => Buffer.from(text, 'utf8').toString('latin1')),
      fromBytes: async () => (text) => Buffer.from(text, 'latin1').toString('utf8'),
    };
  }
  return {
    async toBytes(texts) {
      const { rows } = await client.query<{ bytes: string[] }>(toBytesSql, [texts]);
      return (rows[0]?.bytes ?? []).map(ofHex);
    },
    async fromBytes(texts) {
      const all = [...new Set(texts)];
      const { rows } = await client.query<{ texts: string[] }>(toTextsSql, [all.map(hex)]);
      const known = new Map(all.map((text, index) => [text, rows[0]?.texts[index] ?? '']));
      return (text) => known.get(text) ?? text;
    },
  };
}
