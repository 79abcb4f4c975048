import * as z from 'zod';
import { accessRoutes } from './access-routes.ts';
import { auditRoutes } from './audit-routes.ts';
import { complianceRoutes } from './compliance-routes.ts';
import { defineRoute } from './define-route.ts';
import { doctorRoutes } from './doctor-routes.ts';
import { healthRoutes } from './health-routes.ts';
import { maskingRoutes } from './masking-routes.ts';
import { recoveryRoutes } from './recovery-routes.ts';
import { backupIdSchema, backupRequestSchema, backupSchema, backupStatusSchema } from './schemas/backup.ts';
import { databaseQuerySchema, pageOf, pageQuerySchema } from './schemas/common.ts';
import { downloadQuerySchema, downloadSchema, makeDownloadQuerySchema } from './schemas/download.ts';
import { jobIdSchema, jobSchema } from './schemas/job.ts';
import {
  restoreCheckRequestSchema,
  restoreCheckSchema,
  restoreRequestSchema,
  swapBackRequestSchema,
} from './schemas/restore.ts';
import { scheduleChangeSchema, scheduleSetSchema } from './schemas/schedule.ts';
import { validationRequestSchema } from './schemas/validation.ts';

export { basePath } from './define-route.ts';

const backupParams = z.strictObject({ id: backupIdSchema });

/** The answer of every route that starts a job. */
const jobAccepted = {
  description: 'The job was accepted; follow it at the address in `Location`.',
  schema: jobSchema,
  headers: { Location: 'Address of the job.' },
} as const;

/**
 * Every route of the API, once. API Gateway's resources, the validation of requests, role checks, the OpenAPI document and
 * the clients are derived from this table.
 */
export const routes = [
  defineRoute({
    operationId: 'createBackup',
    method: 'POST',
    path: '/backups',
    leastRole: 'operator',
    servedBy: 'backups-api',
    tag: 'Backups',
    summary: 'Start a backup',
    description:
      'Starts a job that stores the database, as it is at one moment, encrypted in the bucket. The database stays in use meanwhile.',
    query: databaseQuerySchema,
    body: backupRequestSchema,
    bodyExample: { backup_type: 'full', custom_name: 'before release 12' },
    responses: { 202: jobAccepted },
    idempotent: true,
  }),
  defineRoute({
    operationId: 'listBackups',
    method: 'GET',
    path: '/backups',
    leastRole: 'viewer',
    servedBy: 'backups-api',
    tag: 'Backups',
    summary: 'List the backups of a database',
    description:
      'Newest first. A running backup shows the progress of its job. A database that is no longer configured has a list as long as it has backups.',
    query: pageQuerySchema.extend({
      status: backupStatusSchema.optional().meta({ description: 'Only backups of this status.' }),
    }),
    responses: { 200: { description: 'A page of backups.', schema: pageOf(backupSchema) } },
  }),
  defineRoute({
    operationId: 'getSchedules',
    method: 'GET',
    path: '/backups/schedules',
    leastRole: 'viewer',
    servedBy: 'schedules-api',
    tag: 'Backups',
    summary: 'Get backup schedules',
    description:
      'For each type of backup: its schedule and where it comes from, the next times it runs, and what came of the last ones, those included that were skipped or never came.',
    query: databaseQuerySchema,
    responses: { 200: { description: 'The schedules.', schema: scheduleSetSchema } },
  }),
  defineRoute({
    operationId: 'changeSchedules',
    method: 'PUT',
    path: '/backups/schedules',
    leastRole: 'admin',
    servedBy: 'schedules-api',
    tag: 'Backups',
    summary: 'Change backup schedules',
    description:
      "Changes the schedules of the types that are named, all of them or none, at once. What is changed here goes before the deployment's configuration, and a later deployment leaves it as it is.",
    query: databaseQuerySchema,
    body: scheduleChangeSchema,
    bodyExample: {
      version: 0,
      schedules: { full: { cron: '30 3 * * 0', time_zone: 'Europe/Vienna' } },
    },
    responses: { 200: { description: 'The schedules as they are now.', schema: scheduleSetSchema } },
    refusals: { 409: 'The schedules were changed since that version.' },
  }),
  defineRoute({
    operationId: 'getBackup',
    method: 'GET',
    path: '/backups/{id}',
    leastRole: 'viewer',
    servedBy: 'backups-api',
    tag: 'Backups',
    summary: 'Show one backup',
    description: 'What the backup holds, where it stands and when it expires.',
    params: backupParams,
    responses: { 200: { description: 'The backup.', schema: backupSchema } },
  }),
  defineRoute({
    operationId: 'deleteBackup',
    method: 'DELETE',
    path: '/backups/{id}',
    leastRole: 'admin',
    servedBy: 'backups-api',
    tag: 'Backups',
    summary: 'Delete a backup',
    description:
      'Deletes an available or failed backup with all its objects. It can be asked again after a failure and then goes on. What a job makes or reads, and what S3 has locked, is never deleted.',
    params: backupParams,
    query: z.strictObject({
      force: z
        .enum(['true', 'false'])
        .default('false')
        .meta({ description: '`true`: also when other backups need it, which then cannot be restored.' }),
    }),
    responses: { 204: { description: 'The backup is gone.', schema: null } },
    refusals: { 409: 'The backup is being made, a job is reading it, other backups need it, or S3 has locked it.' },
  }),
  defineRoute({
    operationId: 'makeDownload',
    method: 'POST',
    path: '/backups/{id}/download',
    leastRole: 'admin',
    servedBy: 'downloads-api',
    tag: 'Backups',
    summary: 'Create a SQL download',
    description:
      'Starts a job that makes one file of the backup: a compressed SQL script that `psql` loads into an empty database. One file is made at a time of each format: as long as a job makes it, or its file is there, the answer is that job. The backup cannot be deleted meanwhile. The file is removed after a day.',
    params: backupParams,
    query: makeDownloadQuerySchema,
    responses: { 202: jobAccepted },
    refusals: { 409: 'The backup is not available.' },
  }),
  defineRoute({
    operationId: 'getDownload',
    method: 'GET',
    path: '/backups/{id}/download',
    // Who has the file reads every row of the database, though neither the database nor this system lets them in: as much as
    // a restore gives, which is for admins too.
    leastRole: 'admin',
    servedBy: 'downloads-api',
    tag: 'Backups',
    summary: 'Get the address of a backup’s script or objects',
    description:
      'A signed address of the file that `POST` has made, which needs no token and expires soon; ask again for another one. With `format=objects`: a page of the encrypted objects as they are stored, each with such an address; they are of use to whoever may decrypt with the key. The required role is `admin`, because the file holds every row in plain text, as far as the database lets nobody but its owners read them: it gives as much as a restore.',
    params: backupParams,
    query: downloadQuerySchema,
    responses: {
      200: { description: 'Where to fetch it.', schema: downloadSchema },
      202: { ...jobAccepted, description: 'The file is being made; follow the job at the address in `Location`.' },
    },
    refusals: {
      404: 'There is no such backup, or no file of it: nobody has asked for one, its job has failed, or it has expired.',
      409: 'The backup is not available.',
    },
  }),
  defineRoute({
    operationId: 'validateBackup',
    method: 'POST',
    path: '/backups/{id}/validate',
    leastRole: 'operator',
    servedBy: 'backups-api',
    tag: 'Backups',
    summary: 'Validate a backup',
    description:
      'Starts a job that reads every object of the backup and holds it against the manifest (`integrity`), or restores the backup into a scratch database of the drill server, counts the rows, looks over indexes and constraints, and drops it (`restore`). The outcome is kept at the backup; the job names every damaged object. The backup cannot be deleted meanwhile.',
    params: backupParams,
    body: validationRequestSchema,
    bodyExample: { level: 'integrity' },
    responses: { 202: jobAccepted },
    refusals: {
      404: 'There is no such backup.',
      409: 'The backup is not available; or no drill server is configured, or the backup holds no definitions to restore.',
    },
    idempotent: true,
  }),
  defineRoute({
    operationId: 'rebuildCatalog',
    method: 'POST',
    path: '/backups/rebuild-catalog',
    leastRole: 'admin',
    servedBy: 'backups-api',
    tag: 'Backups',
    summary: 'Rebuild the catalog',
    description:
      'Starts a job that reads the manifest of every backup of the database in the bucket and lists those that are missing, as after a loss of the State table. What is listed stays as it is. The warnings of the job say how many were added, and name manifests that cannot be read.',
    query: databaseQuerySchema.extend({
      all: z.enum(['true', 'false']).default('false').meta({
        description: '`true`: of every database that has backups in the bucket, also of those that are not configured.',
      }),
    }),
    responses: { 202: jobAccepted },
  }),
  defineRoute({
    operationId: 'createRestore',
    method: 'POST',
    path: '/restore',
    leastRole: 'admin',
    servedBy: 'restore-api',
    tag: 'Restore',
    summary: 'Restore a backup',
    description:
      'Starts a job that builds a new database, on the same server or that of another configured database, and offers it under its name only when every row is loaded and counted. An existing database is never overwritten; with `"mode": "swap"` it is kept under a dated name. With `"mode": "data"` the rows alone go into the empty tables of an existing database; what a failed job has loaded is taken back. The job first makes the check of `restore/check`, and fails with all problems when there are any.',
    query: databaseQuerySchema,
    body: restoreRequestSchema,
    bodyExample: { backup_id: 'bkp-01JZ8Q4F7M3N5P6R8S9T0V1W2X', confirm: true, target_database: 'shop_restored' },
    responses: { 202: jobAccepted },
    refusals: { 404: 'There is no such backup of this database.', 409: 'The backup is not available.' },
    idempotent: true,
  }),
  defineRoute({
    operationId: 'checkRestore',
    method: 'POST',
    path: '/restore/check',
    leastRole: 'admin',
    servedBy: 'restore-server-api',
    tag: 'Restore',
    summary: 'Check a restore',
    description:
      'Holds the backup against the server: versions, extensions, roles, rights, names, locale, connections, free storage, with `"mode": "data"` the tables, columns and foreign keys, and whether the backup holds what is selected. All problems are in one answer; nothing is created.',
    query: databaseQuerySchema,
    body: restoreCheckRequestSchema,
    bodyExample: {
      backup_id: 'bkp-01JZ8Q4F7M3N5P6R8S9T0V1W2X',
      target_database: 'shop_orders',
      tables: ['shop.orders'],
    },
    responses: { 200: { description: 'What the restore would meet.', schema: restoreCheckSchema } },
    refusals: { 404: 'There is no such backup of this database.', 409: 'The backup is not available.' },
  }),
  defineRoute({
    operationId: 'swapBackRestore',
    method: 'POST',
    path: '/restore/{id}/swap-back',
    leastRole: 'admin',
    servedBy: 'restore-server-api',
    tag: 'Restore',
    summary: 'Swap a replaced database back',
    description:
      'Gives the database that a restore with `"mode": "swap"` replaced its name again. The restored one is kept under a dated name. Sessions on both are ended.',
    params: z.strictObject({ id: jobIdSchema }),
    body: swapBackRequestSchema,
    bodyExample: { confirm: true },
    responses: { 200: { description: 'The job of the restore.', schema: jobSchema } },
    refusals: { 409: 'The job has not swapped databases, or they cannot be swapped now.' },
  }),
  defineRoute({
    operationId: 'resumeRestore',
    method: 'POST',
    path: '/restore/{id}/resume',
    leastRole: 'admin',
    servedBy: 'restore-api',
    tag: 'Restore',
    summary: 'Resume a failed restore',
    description:
      'Starts a job that goes on with the unfinished database of a failed restore, with the same options: rows that are loaded and indexes that are built are not made again. A restore that failed by a passing cause (a lost connection, S3, KMS, time) keeps its database for a day; its job then has `unfinished`.',
    params: z.strictObject({ id: jobIdSchema }),
    responses: { 202: jobAccepted },
    refusals: { 409: 'The job has left nothing to go on with, or is resumed already; or its backup is gone.' },
    idempotent: true,
  }),
  defineRoute({
    operationId: 'discardRestore',
    method: 'POST',
    path: '/restore/{id}/discard',
    leastRole: 'admin',
    servedBy: 'restore-server-api',
    tag: 'Restore',
    summary: 'Discard the remains of a failed restore',
    description:
      'Drops the unfinished database of a failed restore at once, which would be kept for a day to be resumed. After a restore with `"mode": "data"`, takes back the rows that could not be taken back when it failed.',
    params: z.strictObject({ id: jobIdSchema }),
    responses: { 200: { description: 'The job of the restore.', schema: jobSchema } },
    refusals: { 409: 'The job has left nothing, or is being resumed; or rows of others stand in the way.' },
  }),
  defineRoute({
    operationId: 'listJobs',
    method: 'GET',
    path: '/jobs',
    leastRole: 'viewer',
    servedBy: 'jobs-api',
    tag: 'Jobs',
    summary: 'List the jobs of a database',
    description: 'Backups, restores, validations and other work, newest first.',
    query: pageQuerySchema,
    responses: { 200: { description: 'A page of jobs.', schema: pageOf(jobSchema) } },
  }),
  defineRoute({
    operationId: 'getJob',
    method: 'GET',
    path: '/jobs/{id}',
    leastRole: 'viewer',
    servedBy: 'jobs-api',
    tag: 'Jobs',
    summary: 'Show one job',
    description: 'Its state, its progress (tables, rows, bytes, rate, time left), and the cause when it failed.',
    params: z.strictObject({ id: jobIdSchema }),
    responses: { 200: { description: 'The job.', schema: jobSchema } },
  }),
  defineRoute({
    operationId: 'cancelJob',
    method: 'POST',
    path: '/jobs/{id}/cancel',
    leastRole: 'operator',
    servedBy: 'jobs-api',
    tag: 'Jobs',
    summary: 'Cancel a job',
    description:
      'A job that waits is cancelled at once. One that runs ends within some seconds and takes back what it has begun: no open transaction, no object, no unfinished database is left. Its state is then `cancelled`; one that was about to end may still succeed.',
    params: z.strictObject({ id: jobIdSchema }),
    responses: { 202: { description: 'The job; follow it until it has ended.', schema: jobSchema } },
    refusals: { 409: 'The job has ended already.' },
  }),
  ...recoveryRoutes,
  ...auditRoutes,
  ...healthRoutes,
  ...doctorRoutes,
  ...maskingRoutes,
  ...complianceRoutes,
  ...accessRoutes,
  defineRoute({
    operationId: 'getOpenapi',
    method: 'GET',
    path: '/openapi.json',
    leastRole: 'public',
    servedBy: 'docs-api',
    tag: 'Documentation',
    summary: 'This API as an OpenAPI 3.1 document',
    description: 'Made from the same table that serves the routes.',
    responses: {
      200: { description: 'The document.', schema: z.looseObject({ openapi: z.string() }) },
    },
  }),
  defineRoute({
    operationId: 'getDocs',
    method: 'GET',
    path: '/docs',
    leastRole: 'public',
    servedBy: 'docs-api',
    tag: 'Documentation',
    summary: 'This API as a page to read',
    description: 'A page without scripts, made from the OpenAPI document.',
    responses: { 200: { description: 'The page.', schema: z.string(), contentType: 'text/html; charset=utf-8' } },
  }),
] as const;

export type Route = (typeof routes)[number];
/** Names of the functions that serve the API. */
export type ApiFunction = Route['servedBy'];
