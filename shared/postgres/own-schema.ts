/** Schema of the functions that write changes of definitions into a database's log; it holds nothing else. */
export const CHANGES_SCHEMA = 'dbms_changes';

/** Schema of the functions that create the logins of drills and change the login's own password: docs/logins. */
export const RUN_SCHEMA = 'dbms_run';

/** Where a database that changes are replayed into keeps how far it is. Removed with the last of them. */
export const REPLAY_SCHEMA = 'dbms_replaying';
