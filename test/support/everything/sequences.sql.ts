/** Sequences at odd positions. */
export const sequencesSql = `
CREATE SCHEMA counting;
SET search_path = counting;
CREATE SEQUENCE not_called START 50;
CREATE SEQUENCE called_once START 50;
SELECT nextval('called_once');
CREATE SEQUENCE downwards INCREMENT -3 MAXVALUE 100 MINVALUE -100 START 50 CYCLE;
SELECT nextval('downwards'), nextval('downwards'), nextval('downwards');
CREATE SEQUENCE at_max AS smallint;
SELECT setval('at_max', 32767);
CREATE SEQUENCE at_min AS bigint MINVALUE -9223372036854775808 START -9223372036854775808 CACHE 20;
CREATE SEQUENCE at_big_max MAXVALUE 9223372036854775807;
SELECT setval('at_big_max', 9223372036854775807, false);
CREATE SEQUENCE set_not_called;
SELECT setval('set_not_called', 77, false);
CREATE SEQUENCE cached CACHE 100;
SELECT nextval('cached');
CREATE TABLE owner (id int, n int);
CREATE SEQUENCE owned OWNED BY owner.n;
ALTER TABLE owner ALTER id SET DEFAULT nextval('owned');
INSERT INTO owner (n) VALUES (1), (2);
CREATE TABLE renamed (id serial);
INSERT INTO renamed DEFAULT VALUES;
ALTER SEQUENCE renamed_id_seq RENAME TO "Renamed; sequence";
CREATE SEQUENCE "Odd ""name"" 🐘.seq";
SELECT nextval('"Odd ""name"" 🐘.seq"'), nextval('"Odd ""name"" 🐘.seq"');
RESET search_path;
`;
