import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { settingStatement } from '../../shared/backup/restore/target-database.ts';
import { quoteIdentifier, quoteLiteral } from '../../shared/postgres/identifiers.ts';
import { createScratchDatabase, forEachServer, withClient } from '../support/servers.ts';

/** Text that PostgreSQL can hold: no NUL, no lone surrogates. */
const text = (minLength: number) =>
  fc
    .string({ unit: 'binary', minLength, maxLength: 60 })
    .filter((value) => !value.includes('\0') && value.isWellFormed());

forEachServer((server) => {
  describe('quoting', () => {
    it('gives identifiers that the server reads as they were, its keywords included', async () => {
      const names = [...fc.sample(text(1), 300), 'select', 'User', 'ü', 'a"b', "it's", 'a\\b', 'a\nb'];
      await withClient(server, 'postgres', async (client) => {
        const { rows: keywords } = await client.query<{ word: string }>('SELECT word FROM pg_get_keywords()');
        for (const name of [...names, ...keywords.map(({ word }) => word)]) {
          // Column names are cut at 63 bytes, as every identifier is; parse_ident does not cut.
          const { rows } = await client.query<{ parts: string[] }>('SELECT parse_ident($1) AS parts', [
            quoteIdentifier(name),
          ]);
          expect(rows[0]?.parts).toEqual([name]);
        }
      });
    });

    it('gives literals that the server reads as they were, whatever standard_conforming_strings says', async () => {
      const values = [...fc.sample(text(0), 300), "'", "''", '\\', "\\'", "E'\\x'", '$$'];
      await withClient(server, 'postgres', async (client) => {
        for (const setting of ['on', 'off']) {
          await client.query(`SET standard_conforming_strings = ${setting}; SET escape_string_warning = off`);
          for (const value of values) {
            const { rows } = await client.query<{ value: string }>(`SELECT ${quoteLiteral(value)} AS value`);
            expect(rows[0]?.value).toBe(value);
          }
        }
      });
    });

    it("repeats a database's settings as the server stored them, lists element by element", async () => {
      const source = await createScratchDatabase(server);
      const copy = await createScratchDatabase(server);
      try {
        const settingsOf = (name: string) =>
          withClient(server, 'postgres', async (client) => {
            const { rows } = await client.query<{ setting: string }>(
              `SELECT unnest(setconfig) AS setting FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase
                WHERE d.datname = $1 AND s.setrole = 0 ORDER BY 1`,
              [name],
            );
            return rows.map(({ setting }) => setting);
          });
        await withClient(server, 'postgres', async (client) => {
          const database = quoteIdentifier(source.name);
          for (const statement of [
            `SET search_path = "$user", "Odd, ""name""", public`,
            `SET statement_timeout = '5min'`,
            `SET "my.own" = 'it''s \\ here'`,
            `SET DateStyle = 'ISO, DMY'`,
            `SET temp_tablespaces = ''`,
          ]) {
            await client.query(`ALTER DATABASE ${database} ${statement}`);
          }
          for (const setting of await settingsOf(source.name)) {
            await client.query(settingStatement(copy.name, null, setting));
          }
        });
        expect(await settingsOf(copy.name)).toEqual(await settingsOf(source.name));
        expect(await settingsOf(source.name)).toHaveLength(5);
      } finally {
        await source.drop();
        await copy.drop();
      }
    });
  });
});
