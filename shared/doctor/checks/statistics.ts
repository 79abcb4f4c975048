import { type AnyCheck, defineCheck, sql } from '../check.ts';
import { quoteForReading } from '../quote-for-paste.ts';
import { grantRole } from '../remediate.ts';

/** What lets the login see how a server is. */
export const statisticsChecks: readonly AnyCheck[] = [
  defineCheck({
    id: 'monitor_missing',
    title: 'The login sees neither other sessions nor all settings',
    needs: '`pg_monitor`',
    affects: { limits: ['monitoring', 'sessions', 'access', 'compliance'] },
    reads: ['login', 'server'],
    find({ login, server }, context) {
      if (login.has_roles.includes('pg_monitor')) return null;
      const parts = ['pg_read_all_stats', 'pg_read_all_settings', 'pg_stat_scan_tables'];
      const missing = parts.filter((role) => !login.has_roles.includes(role));
      return {
        message: `${quoteForReading(login.name)} is no member of pg_monitor${missing.length < parts.length ? ` and lacks ${missing.join(', ')} of it` : ''}: what other sessions do, their statements, the size of the log and some settings are hidden from it`,
        remediation: sql(context, grantRole('pg_monitor', { login, version: server.version })),
      };
    },
  }),
  defineCheck({
    id: 'sessions_not_ended',
    title: 'The login may not end sessions of others',
    needs: '`pg_signal_backend`',
    affects: { limits: ['sessions', 'swap'] },
    reads: ['login', 'server'],
    find({ login, server }, context) {
      if (login.has_roles.includes('pg_signal_backend')) return null;
      return {
        message: `${quoteForReading(login.name)} is no member of pg_signal_backend: it ends no sessions of others, through the API or before a swap`,
        remediation: sql(context, grantRole('pg_signal_backend', { login, version: server.version })),
      };
    },
  }),
  defineCheck({
    id: 'statements_not_counted',
    title: 'Statements are not counted',
    needs: 'the extension pg_stat_statements in the database',
    affects: { notes: ['monitoring'] },
    reads: ['statistics'],
    find({ statistics: { present, available } }, context) {
      if (present) return null;
      return {
        message: available
          ? 'Response times and rates of queries are unknown without the extension pg_stat_statements, which shared_preload_libraries must hold as well'
          : 'Response times and rates of queries are unknown: the server does not have the extension pg_stat_statements',
        remediation: available ? sql(context, 'CREATE EXTENSION pg_stat_statements;') : [],
      };
    },
  }),
];
