/** A right that the documented login loses. */
export interface Loss {
  what: string;
  /** As the superuser, in the database. */
  sql: string;
  /** The check that must find it, and no other. */
  check: string;
  /** Others that follow from it. */
  also?: readonly string[];
  /** Whether a backup then fails, and is refused before it begins. */
  stopsBackups?: true;
  /** Major versions that have it. */
  since?: number;
  until?: number;
}

/** What is there for the losses: a table of somebody whom the login is no member of, and a large object. */
export const settingSql = `
CREATE ROLE doctor_owner; CREATE ROLE doctor_stranger;
GRANT doctor_owner, doctor_stranger TO CURRENT_USER;
CREATE SCHEMA doctor_owned AUTHORIZATION doctor_owner;
CREATE TABLE doctor_owned.orders (id int PRIMARY KEY, note text);
INSERT INTO doctor_owned.orders VALUES (1, 'x');
ALTER TABLE doctor_owned.orders OWNER TO doctor_owner;
CREATE SCHEMA doctor_plain;
CREATE TABLE doctor_plain.ledger (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY);
INSERT INTO doctor_plain.ledger DEFAULT VALUES;
CREATE TABLE doctor_plain.parted (n int) PARTITION BY LIST (n);
SELECT pg_catalog.lo_create(0) AS own;`;

/** Gives a large object to a role; a query, so that it can stand in any of them. */
export const giveLargeObject = (role: string): string =>
  `DO $$ DECLARE o oid := pg_catalog.lo_from_bytea(0, 'x'); BEGIN EXECUTE format('ALTER LARGE OBJECT %s OWNER TO ${role}', o); END $$;`;

/** What a server of any kind has. */
export const commonLosses: readonly Loss[] = [
  { what: 'pg_monitor', sql: 'REVOKE pg_monitor FROM dbms', check: 'monitor_missing' },
  { what: 'pg_signal_backend', sql: 'REVOKE pg_signal_backend FROM dbms', check: 'sessions_not_ended' },
  {
    what: 'pg_read_all_data',
    sql: 'REVOKE pg_read_all_data FROM dbms',
    check: 'rows_not_readable',
    stopsBackups: true,
    since: 14,
  },
  {
    what: 'SELECT on one table',
    sql: 'REVOKE SELECT ON doctor_plain.ledger FROM dbms',
    check: 'rows_not_readable',
    stopsBackups: true,
    until: 13,
  },
  { what: 'CREATEDB', sql: 'ALTER ROLE dbms NOCREATEDB', check: 'databases_not_created' },
  { what: 'membership of an owner', sql: 'REVOKE doctor_owner FROM dbms', check: 'owners_not_restored' },
  {
    what: 'the right to become an owner',
    sql: 'GRANT doctor_owner TO dbms WITH SET FALSE',
    check: 'owners_not_restored',
    since: 16,
  },
  {
    what: 'the rights of an owner',
    sql: 'GRANT doctor_owner TO dbms WITH INHERIT FALSE',
    check: 'owners_not_restored',
    since: 16,
  },
  {
    what: 'the owner of a large object',
    sql: giveLargeObject('doctor_stranger'),
    check: 'large_objects_not_readable',
    also: ['owners_not_restored'],
    stopsBackups: true,
  },
  { what: 'sessions of the login', sql: 'ALTER ROLE dbms CONNECTION LIMIT 3', check: 'login_connection_limit' },
  {
    what: 'time',
    sql: "ALTER ROLE dbms VALID UNTIL '2030-01-01'",
    check: 'login_expires',
  },
  { what: 'LOGIN', sql: 'ALTER ROLE dbms NOLOGIN', check: 'login_refused' },
];
