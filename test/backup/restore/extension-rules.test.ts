import { expect, test } from 'vitest';
import { type ExtensionServer, refusalOf } from '../../../shared/backup/restore/extensions/rules.ts';

const server: ExtensionServer = {
  superuser: false,
  is_rds_superuser: true,
  is_rds_extension: false,
  allowed: '*',
  delegated: '',
  cron_database: 'postgres',
  preloaded: 'rdsutils, pg_stat_statements',
};
const extension = { name: 'hstore', available: true, needs_superuser: false };

test.each([
  ['a trusted extension', {}, {}, null],
  ['what is not installed', { available: false }, {}, 'is not installed on the server'],
  ['what Amazon alone has', { name: 'aws_s3', available: false }, {}, 'is there on Amazon RDS and Amazon Aurora alone'],
  ['pg_cron', { name: 'pg_cron' }, {}, 'can be created in the database "postgres" (cron.database_name) alone'],
  ['pg_cron where it is not loaded', { name: 'pg_cron' }, { cron_database: null }, 'that cron.database_name names'],
  ['what is not allowed', {}, { allowed: 'plpgsql,pg_trgm' }, 'is not in rds.allowed_extensions'],
  ['what is allowed', {}, { allowed: 'plpgsql, hstore' }, null],
  ['what an empty list allows', {}, { allowed: '' }, null],
  ['what must be loaded', { name: 'pgaudit' }, {}, 'needs pgaudit in shared_preload_libraries'],
  ['what is loaded', { name: 'pgaudit' }, { preloaded: 'pgaudit' }, null],
  ['what may be loaded, as the login may not see it', { name: 'pgaudit' }, { preloaded: null }, null],
  ['what rds_superuser creates', { needs_superuser: true }, {}, null],
  ['what is left to superusers', { needs_superuser: true }, { is_rds_superuser: false }, 'by a superuser alone'],
  ['what a superuser creates', { needs_superuser: true }, { is_rds_superuser: false, superuser: true }, null],
  [
    'what is delegated',
    { needs_superuser: true },
    { is_rds_superuser: false, is_rds_extension: true, delegated: 'hstore' },
    null,
  ],
])('an extension of the backup: %s', (_what, facts, of, reason) => {
  const refusal = refusalOf({ ...extension, ...facts }, { ...server, ...of });
  if (reason === null) expect(refusal).toBeNull();
  else expect(refusal?.reason).toContain(reason);
});
