import { managedProfile } from './managed-profile.ts';

/**
 * What the end-to-end tests leave out on servers that behave as RDS and Aurora do, since it cannot be there, and why; all else runs on
 * them. `npm run managed` prints it at its end, and docs/managed-servers.md has it.
 */
export const leftOutOnManaged = {
  'database-url: a server that asks for no password': 'RDS and Aurora ask everybody for a password or a token of IAM',
  'closed-home: a test against PostgreSQL': 'it starts the tests of a clone, whose servers are plain ones',
  'backup-restore: what only superusers create':
    'operator classes, languages, access methods, event triggers and the like; test/support/everything/without-superuser.ts names them',
  'backup-restore: FORCE ROW LEVEL SECURITY':
    'nobody there reads such a table whole: the doctor and the backup say so (test/doctor/managed.db.test.ts)',
  'backup-restore: privileges granted by another role':
    'only superusers grant in the name of others: the owner grants them, and the restore warns',
  'backup-restore: settings of other roles for the database':
    'only who administers a role sets them: the restore warns',
  'backup-restore: owners of multiranges before PostgreSQL 17': 'ALTER TYPE leaves them to their first owner',
} as const;

/** Whether a test is left out on the servers of this run. */
export const isLeftOut = (_test: keyof typeof leftOutOnManaged): boolean => managedProfile() !== null;
