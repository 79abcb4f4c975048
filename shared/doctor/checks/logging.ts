import type { Remediation } from '../../contract/schemas/doctor.ts';
import { logIsRead } from '../../platforms/log-is-read.ts';
import { type AnyCheck, configure, defineCheck } from '../check.ts';
import { quoteForReading } from '../quote-for-paste.ts';
import { changeSetting } from '../remediate.ts';

/** A step that several changes have in common is taken once, after all of them. */
const lastOfEach = (steps: readonly Remediation[]): Remediation[] =>
  steps.filter(({ statement }, at) => steps.findLastIndex((each) => each.statement === statement) === at);

const isOff = (value: string): boolean => ['off', 'false', 'no', '0', ''].includes(value);

/** What lets logins and statements come into the audit trail. */
export const loggingChecks: readonly AnyCheck[] = [
  defineCheck({
    id: 'log_group_missing',
    title: 'The log of the server is not read',
    needs: '`log_group` in the configuration: the CloudWatch log group that the server writes its log to',
    affects: { stops: ['login_audit'] },
    reads: [],
    find(_facts, { database, server, platform }) {
      if (database.log_group !== undefined) return null;
      const place = server?.isCluster ? 'cluster' : 'instance';
      const group =
        platform.privileges.administrators === null
          ? '<log group>'
          : `/aws/rds/${place}/${server?.id ?? '<id>'}/postgresql`;
      return {
        message: 'No log group is configured: logins and statements are not in the audit trail',
        remediation: configure(`log_group: '${group}'`),
      };
    },
  }),
  defineCheck({
    id: 'log_not_exported',
    title: 'The log of the server does not reach CloudWatch',
    needs: 'the export of the PostgreSQL log to CloudWatch Logs',
    affects: { stops: ['login_audit'] },
    reads: [],
    find(_facts, { database, server }) {
      if (database.log_group === undefined || server === null || server.exportsLog) return null;
      const words = server.isCluster ? 'db-cluster' : 'db-instance';
      const types = JSON.stringify({ EnableLogTypes: ['postgresql'] });
      return {
        message: `${server.id} does not send its log to CloudWatch`,
        remediation: [
          {
            by: 'aws',
            statement: `aws rds modify-${words} --${words}-identifier ${server.id} --cloudwatch-logs-export-configuration '${types}' --apply-immediately`,
            run_as: null,
          },
        ],
      };
    },
  }),
  defineCheck({
    id: 'connections_not_logged',
    title: 'The server does not log sessions',
    needs: '`log_connections` and `log_disconnections`',
    affects: { stops: ['login_audit'] },
    reads: ['server'],
    find({ server }, context) {
      const missing = (['log_connections', 'log_disconnections'] as const).filter((name) =>
        isOff(server.settings[name]?.value ?? ''),
      );
      if (missing.length === 0) return null;
      return {
        message: `${missing.join(' and ')} ${missing.length === 1 ? 'is' : 'are'} off: logins are not in the log`,
        remediation: lastOfEach(
          missing.flatMap((name) =>
            changeSetting(name, context.platform.privileges.administrators === null ? 'on' : '1', server, context),
          ),
        ),
      };
    },
  }),
  defineCheck({
    id: 'log_not_read',
    title: 'The log of the server is in a form that is not read',
    needs: 'a `log_line_prefix` that is read, or the log as CSV or JSON',
    affects: { stops: ['login_audit'] },
    reads: ['server'],
    find({ server }, context) {
      const { log_destination: destination, log_line_prefix: prefix } = server.settings;
      if (!destination || !prefix) return null;
      const formats = destination.value.split(',').map((format) => format.trim());
      if (logIsRead(formats, prefix.value)) return null;
      const right = context.platform.logs.prefixes[0] ?? '';
      return {
        message: `log_destination is ${destination.value} and log_line_prefix ${quoteForReading(prefix.value)}: lines of this form are not read, so that the audit trail has no logins and statements of the server`,
        remediation: formats.includes('stderr')
          ? changeSetting('log_line_prefix', right, server, context)
          : changeSetting('log_destination', 'stderr', server, context),
      };
    },
  }),
];
