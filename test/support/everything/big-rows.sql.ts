/** Rows that hold one value of `bytes` bytes: incompressible and compressible binary, text, and one that doubles when escaped. */
export function bigRowsSql(bytes: number): string {
  const pieces = Math.max(1, Math.ceil(bytes / 1024));
  return `
CREATE SCHEMA big;
CREATE TABLE big.rows (id int PRIMARY KEY, b bytea, t text);
ALTER TABLE big.rows ALTER b SET STORAGE EXTERNAL;
INSERT INTO big.rows SELECT 1, (SELECT string_agg(decode(repeat(md5(n::text), 64), 'hex'), '') FROM generate_series(1, ${pieces}) n), NULL;
INSERT INTO big.rows SELECT 2, NULL, (SELECT string_agg(repeat(md5(n::text), 31) || E' \\\\ \\t\\n🐘äöü \\\\. \\r 0123456', '') FROM generate_series(1, ${pieces}) n);
INSERT INTO big.rows VALUES (3, '\\x', ''), (4, NULL, repeat(E'\\\\', ${Math.ceil(bytes / 2)}));
`;
}
