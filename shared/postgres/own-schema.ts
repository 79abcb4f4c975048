/** Schema of the functions that write changes of definitions into a database's log; it holds nothing else. */
export const CHANGES_SCHEMA = 'dbms_changes';
