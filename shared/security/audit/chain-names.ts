/** The chain of what concerns no database, or none alone. */
export const SYSTEM_CHAIN = 'system';

const DATABASES = 'databases/';

/** A database has a chain of its own. */
export function chainOf(database: string | null): string {
  return database === null ? SYSTEM_CHAIN : DATABASES + database;
}
