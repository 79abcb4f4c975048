import { quoteShell } from '../../../quote-shell.ts';
import { controlsOf } from '../controls.ts';
import { aws, defineRule, fail, type Mend, notApplicable, pass, unknown } from '../rule.ts';

const DAY = 86_400;
/** A full backup each week, and a day for one that came late. */
const NEWEST_DAYS = 8;
const PROVEN_DAYS = 31;
const RETENTION_DAYS = 30;
const COPY_HOURS = 2;

const api = (method: string, path: string, body: unknown): Mend[] => [
  { by: 'api', statement: `${method} ${path} ${JSON.stringify(body)}` },
];
const configuration = (change: unknown): Mend[] => [{ by: 'configuration', statement: JSON.stringify(change) }];
const age = (seconds: number | null): string =>
  seconds === null ? 'There is none' : `${(seconds / DAY).toFixed(1)} days old`;

/** Whether the data would survive. */
export const backupRules = [
  defineRule({
    id: 'backup_age',
    title: 'There is a new backup',
    level: 'critical',
    reads: 'backups',
    expected: `The newest full backup is at most ${NEWEST_DAYS} days old`,
    controls: controlsOf('recovery', '7.3', '8.2'),
    judge: ({ newest }, { database }) =>
      newest !== null && newest <= NEWEST_DAYS * DAY
        ? pass(age(newest))
        : fail(age(newest), api('POST', `/backups?database=${database.id}`, { backup_type: 'full' })),
  }),
  defineRule({
    id: 'backup_proven',
    title: 'A new backup was restored',
    level: 'high',
    reads: 'backups',
    expected: `The newest backup that a drill has restored is at most ${PROVEN_DAYS} days old`,
    controls: controlsOf('recovery', '8.2'),
    judge: ({ newestProven }) =>
      newestProven !== null && newestProven <= PROVEN_DAYS * DAY
        ? pass(age(newestProven))
        : fail(age(newestProven), api('POST', '/backups/{id}/validate', { level: 'restore' })),
  }),
  defineRule({
    id: 'backup_schedule',
    title: 'Full backups are taken by themselves',
    level: 'high',
    reads: 'backups',
    expected: 'There is a schedule of full backups, and it is enabled',
    controls: controlsOf('recovery', '7.3'),
    judge: ({ scheduled }, { database }) =>
      scheduled
        ? pass('There is one')
        : fail(
            'There is none',
            api('PUT', `/backups/schedules?database=${database.id}`, {
              version: 0,
              schedules: { full: { cron: '0 2 * * 0' } },
            }),
          ),
  }),
  defineRule({
    id: 'backup_retention',
    title: 'Backups are kept for long enough',
    level: 'medium',
    reads: 'backups',
    expected: `Every backup is kept for at least ${RETENTION_DAYS} days`,
    controls: controlsOf('recovery', '8.2'),
    judge: ({ retentionDays }) =>
      retentionDays >= RETENTION_DAYS
        ? pass(`${retentionDays} days`)
        : fail(`${retentionDays} days`, configuration({ backups: { retention_days: RETENTION_DAYS } })),
  }),
  defineRule({
    id: 'recovery_on',
    title: 'Any moment can be restored',
    level: 'medium',
    reads: 'backups',
    expected: 'Point-in-time recovery is on',
    controls: controlsOf('recovery', '7.4'),
    judge: ({ recovery }, { database }) =>
      recovery
        ? pass('It is on')
        : fail('It is off', api('PUT', `/recovery?database=${database.id}`, { enabled: true })),
  }),
  defineRule({
    id: 'backup_lock',
    title: 'Backups cannot be deleted early',
    level: 'medium',
    reads: 'backups',
    expected: 'Objects are locked in S3 after they are stored',
    controls: controlsOf('recovery', '8.2'),
    judge: ({ objectLockDays }) =>
      objectLockDays !== null
        ? pass(`Locked for ${objectLockDays} days`)
        : fail('They are not locked', configuration({ backups: { object_lock: { mode: 'governance', days: 14 } } })),
  }),
  defineRule({
    id: 'backup_copies',
    title: 'Backups are in the second region',
    level: 'high',
    reads: 'backups',
    expected: `Where a second region is configured, every backup is copied within ${COPY_HOURS} hours, and no object has failed`,
    controls: controlsOf('recovery', '7.3', '8.2'),
    judge: ({ copies }) => {
      if (copies === null) return notApplicable('No second region is configured');
      const { bucket, uncopiedSeconds, failed } = copies;
      // S3 copies what is stored anew, and does not try again what failed.
      const anew = (key: string): string =>
        `aws s3api copy-object --bucket ${bucket} --key ${quoteShell(key)} --copy-source ${quoteShell(`${bucket}/${key}`)} --metadata-directive REPLACE`;
      if (failed.length > 0) return fail(`${failed.length} objects could not be copied`, aws(...failed.map(anew)));
      if (uncopiedSeconds === null) return unknown('Nobody has looked in the last three hours');
      return uncopiedSeconds <= COPY_HOURS * 3600
        ? pass('Every backup is')
        : fail(
            `A backup has waited for ${(uncopiedSeconds / 3600).toFixed(1)} hours`,
            aws(`aws s3api get-bucket-replication --bucket ${bucket}`),
          );
    },
  }),
  defineRule({
    id: 'drills',
    title: 'Restores are practised',
    level: 'medium',
    reads: 'backups',
    expected: 'Drills have a server',
    controls: controlsOf('recovery', '8.2'),
    judge: ({ drills }, { database }) =>
      drills ? pass('They have') : fail('They have none', configuration({ drills: { server: database.id } })),
  }),
];
