/**
 * What becomes of the database that a restore builds: a new one of its own name (`new`), the successor of another (`swap`), or
 * nothing, as it was only to see that the backup can be restored (`drill`).
 */
export type RestoreMode = 'new' | 'swap' | 'drill';
