import type pg from 'pg';

/** Texts of the changes have a character for each byte. */
export function textDecoder(client: pg.Client, encoding: string): (bytes: string) => Promise<string> {
  if (encoding === 'UTF8' || encoding === 'SQL_ASCII') return async (bytes) => Buffer.from(bytes, 'latin1').toString();
  return async (bytes) => {
    const { rows } = await client.query<{ text: string }>('SELECT pg_catalog.convert_from($1, $2::name) AS text', [
      Buffer.from(bytes, 'latin1'),
      encoding,
    ]);
    return rows[0]?.text ?? '';
  };
}
