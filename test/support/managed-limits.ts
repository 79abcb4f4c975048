/**
 * What the end-to-end tests leave out on servers that behave as RDS and Aurora do, because there it cannot be, with the reason. All else
 * runs there; `npm run managed` prints this list.
 */
export const leftOutOnManaged = {
  'backup-restore: northwind':
    'its script is no part of this repository; where it is there, its test runs on managed servers as well',
  'backup-restore: what only superusers create':
    'languages, access methods, operator classes, event triggers before 18 and the like are left out of the database that has one of everything (test/support/everything/without-superuser.ts)',
  'backup-restore: FORCE ROW LEVEL SECURITY':
    'nobody there can read such a table whole: the doctor and the backup say so, and test/doctor has the test',
  'database-url: a server that asks for no password': 'RDS and Aurora ask everybody for a password or a token of IAM',
} as const satisfies Record<string, string>;
