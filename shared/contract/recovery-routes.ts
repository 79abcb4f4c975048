import { defineRoute } from './define-route.ts';
import { databaseQuerySchema } from './schemas/common.ts';
import { recoveryChangeSchema, recoveryWindowSchema } from './schemas/recovery.ts';
import { rowChangesQuerySchema, rowChangesSchema } from './schemas/row-changes.ts';

/** The routes of point-in-time recovery, but for the restore itself. */
export const recoveryRoutes = [
  defineRoute({
    operationId: 'getRecoveryWindow',
    method: 'GET',
    path: '/recovery-window',
    leastRole: 'viewer',
    servedBy: 'recovery-api',
    tag: 'Restore',
    summary: 'Get the recovery window',
    description:
      'Whether point-in-time recovery is on, the earliest and latest moment, what the server keeps for it, and what is not covered exactly. While it is off: what stands in the way.',
    query: databaseQuerySchema,
    responses: { 200: { description: 'The window.', schema: recoveryWindowSchema } },
  }),
  defineRoute({
    operationId: 'changeRecovery',
    method: 'PUT',
    path: '/recovery',
    leastRole: 'admin',
    servedBy: 'recovery-api',
    tag: 'Restore',
    summary: 'Turn point-in-time recovery on or off, or pause it',
    description:
      'On: makes a replication slot and, where the login may, event triggers that note changes of definitions; a window that is open stays as it is. Off: removes both. Paused: captures what has been committed, then removes both, for an upgrade of the server; on afterwards begins a new window.',
    query: databaseQuerySchema,
    body: recoveryChangeSchema,
    bodyExample: { enabled: true },
    responses: { 200: { description: 'The window as it is now.', schema: recoveryWindowSchema } },
    refusals: {
      409: 'The server, the login, an event trigger of the database or a transaction that is running does not allow it, or it is being changed already; the reasons and what is left on the server are named.',
      503: 'The server is out of reach, or a lock or the connection was lost on the way; the same again is safe.',
    },
  }),
  defineRoute({
    operationId: 'listRowChanges',
    method: 'GET',
    path: '/recovery/changes',
    leastRole: 'admin',
    servedBy: 'recovery-api',
    tag: 'Restore',
    summary: 'List what happened to a row',
    description:
      'The inserts, updates, deletes and truncations of a row, or of all rows of a table, among the changes that are stored for point-in-time recovery: when, by which transaction, before and after. The table and its columns are followed through renames, and the row through changes of its key. To find the moment before a mistake.',
    query: rowChangesQuerySchema,
    responses: { 200: { description: 'A page of changes, the oldest first.', schema: rowChangesSchema } },
    alwaysAudited: true,
  }),
] as const;
