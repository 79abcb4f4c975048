/** How many connections the server keeps for superusers, for members of `pg_use_reserved_connections`, and on RDS for `rds_superuser`. */
export const RESERVED_CONNECTIONS = `(pg_catalog.current_setting('superuser_reserved_connections')::int
       + coalesce(nullif(pg_catalog.current_setting('reserved_connections', true), '')::int, 0)
       + coalesce(nullif(pg_catalog.current_setting('rds.rds_superuser_reserved_connections', true), '')::int, 0))`;
