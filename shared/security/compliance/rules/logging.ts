import { logIsRead } from '../../../platforms/log-is-read.ts';
import { platformOf, readablePrefixes } from '../../../platforms/platforms.ts';
import { controlsOf } from '../controls.ts';
import { defineRule, notApplicable, pass, type Rule, type RuleLevel, unknown } from '../rule.ts';
import { failSetting, isOff, isOn, namesIn, settingRule, within } from './settings.ts';

/** From the least to the most severe; `log_min_messages` and its like name the first that is logged. */
const severities = [
  'debug5',
  'debug4',
  'debug3',
  'debug2',
  'debug1',
  'info',
  'notice',
  'warning',
  'error',
  'log',
  'fatal',
  'panic',
];
const logsFrom =
  (severity: string) =>
  (value: string): boolean =>
    severities.indexOf(value) >= 0 && severities.indexOf(value) <= severities.indexOf(severity);

type Switch = [id: string, title: string, level: RuleLevel, right: 'on' | 'off', cis: string, topic?: 'secrecyOfLogs'];

/** Settings that are on or off, each named as its rule. */
const switches: readonly Switch[] = [
  ['log_disconnections', 'Ends of sessions are logged', 'medium', 'on', '3.1.21'],
  ['log_checkpoints', 'Checkpoints are logged', 'low', 'on', '3.1.14'],
  ['log_lock_waits', 'Long waits for locks are logged', 'low', 'on', '3.1.14'],
  ['log_replication_commands', 'Commands of replication are logged', 'medium', 'on', '7.2'],
  ['log_hostname', 'Addresses are logged as they are', 'low', 'off', '3.1.23'],
  ['debug_print_parse', 'Parse trees are not logged', 'low', 'off', '3.1.16', 'secrecyOfLogs'],
  ['debug_print_rewritten', 'Rewritten queries are not logged', 'low', 'off', '3.1.17', 'secrecyOfLogs'],
  ['debug_print_plan', 'Plans are not logged', 'low', 'off', '3.1.18', 'secrecyOfLogs'],
];

const switchRule = ([setting, title, level, right, cis, topic]: Switch): Rule<'server'> =>
  settingRule({
    id: setting,
    title,
    level,
    setting,
    isRight: right === 'on' ? isOn : isOff,
    right,
    expected: `${setting} = ${right}`,
    controls: controlsOf(topic ?? 'logging', cis),
  });

/** What the server writes down, and what it must not. */
export const loggingRules = [
  ...switches.map(switchRule),
  settingRule({
    id: 'log_connections',
    title: 'Sessions are logged',
    level: 'medium',
    setting: 'log_connections',
    // Since PostgreSQL 18 a list of what is logged of a connection.
    isRight: (value) =>
      ['on', 'true', 'yes', '1', 'all'].includes(value) ||
      ['authentication', 'authorization'].every((aspect) => namesIn(value).includes(aspect)),
    right: 'on',
    expected: 'log_connections is on, or has authentication and authorization (PostgreSQL 18)',
    controls: controlsOf('logging', '3.1.20'),
  }),
  settingRule({
    id: 'log_statement',
    title: 'Changes of definitions are logged',
    level: 'medium',
    setting: 'log_statement',
    isRight: (value) => value !== 'none',
    right: 'ddl',
    expected: 'log_statement is ddl, mod or all',
    controls: controlsOf('logging', '3.1.25'),
  }),
  settingRule({
    id: 'log_line_prefix',
    title: 'Each line of the log says when, who and from where',
    level: 'medium',
    setting: 'log_line_prefix',
    isRight: (value) => [/%[mtn]/, /%p/, /%u/, /%d/, /%[hr]/].every((part) => part.test(value)),
    right: (_value, _server, { database }) => platformOf(database).logs.prefixes[0] ?? '',
    expected: 'log_line_prefix has the time (%m, %t or %n), %p, %u, %d and the address (%h or %r)',
    controls: controlsOf('logging', '3.1.24'),
  }),
  defineRule({
    id: 'log_is_read',
    title: 'What the server logs of logins and statements joins the audit trail',
    level: 'high',
    reads: 'server',
    expected: `Where log_group is configured, the log is written as CSV or JSON, or log_line_prefix is one of: ${readablePrefixes.map((prefix) => `'${prefix}'`).join(', ')}`,
    controls: controlsOf('audit', '3.1.24'),
    judge: (server, context) => {
      if (context.database.log_group === undefined) return notApplicable('No log_group is configured');
      const { log_destination: destination, log_line_prefix: prefix } = server.settings;
      if (!destination || !prefix) return unknown('The login may not see log_destination and log_line_prefix');
      const formats = namesIn(destination.value);
      const found = `log_destination = ${destination.value}, log_line_prefix = '${prefix.value}'`;
      if (logIsRead(formats, prefix.value)) return pass(found);
      const right = platformOf(context.database).logs.prefixes[0] ?? '';
      return failSetting(
        `${found}: its lines are not read, so that the audit trail has no logins and no statements of the server`,
        formats.includes('stderr')
          ? { name: 'log_line_prefix', value: right }
          : { name: 'log_destination', value: 'stderr' },
        server,
        context,
      );
    },
  }),
  settingRule({
    id: 'log_min_messages',
    title: 'Warnings are logged',
    level: 'medium',
    setting: 'log_min_messages',
    isRight: logsFrom('warning'),
    right: 'warning',
    expected: 'log_min_messages is warning or below',
    controls: controlsOf('logging', '3.1.14'),
  }),
  settingRule({
    id: 'log_min_error_statement',
    title: 'Statements that fail are logged',
    level: 'medium',
    setting: 'log_min_error_statement',
    isRight: logsFrom('error'),
    right: 'error',
    expected: 'log_min_error_statement is error or below',
    controls: controlsOf('logging', '3.1.15'),
  }),
  settingRule({
    id: 'log_error_verbosity',
    title: 'Errors are logged with their detail',
    level: 'low',
    setting: 'log_error_verbosity',
    isRight: (value) => value !== 'terse',
    right: 'default',
    expected: 'log_error_verbosity is default or verbose',
    controls: controlsOf('logging', '3.1.22'),
  }),
  settingRule({
    id: 'log_min_duration_statement',
    title: 'Slow statements are logged',
    level: 'low',
    setting: 'log_min_duration_statement',
    isRight: within(0),
    right: '1s',
    expected: 'log_min_duration_statement is set',
    controls: controlsOf('logging'),
  }),
  settingRule({
    id: 'log_temp_files',
    title: 'Large temporary files are logged',
    level: 'low',
    setting: 'log_temp_files',
    isRight: within(0),
    right: '10MB',
    expected: 'log_temp_files is set',
    controls: controlsOf('logging'),
  }),
  settingRule({
    id: 'log_parameters_on_error',
    title: 'Values of parameters are not logged with errors',
    level: 'medium',
    setting: 'log_parameter_max_length_on_error',
    isRight: (value) => value === '0',
    right: '0',
    expected: 'log_parameter_max_length_on_error = 0: values may be personal',
    controls: controlsOf('secrecyOfLogs'),
  }),
  settingRule({
    id: 'log_parameters',
    title: 'Values of parameters are not logged with statements',
    level: 'medium',
    setting: 'log_parameter_max_length',
    isRight: (value) => value === '0',
    right: '0',
    expected: 'log_parameter_max_length = 0: values may be personal',
    controls: controlsOf('secrecyOfLogs'),
  }),
  settingRule({
    id: 'logging_collector',
    title: 'The server keeps its log itself',
    level: 'medium',
    setting: 'logging_collector',
    selfManaged: true,
    isRight: (value, { settings }) =>
      isOn(value) ||
      namesIn(settings.log_destination?.value ?? '').some((name) => name === 'syslog' || name === 'eventlog'),
    right: 'on',
    expected: 'logging_collector = on, or the log goes to syslog',
    controls: controlsOf('logging', '3.1.3'),
  }),
  settingRule({
    id: 'log_truncate_on_rotation',
    title: 'Rotation begins a log anew',
    level: 'low',
    setting: 'log_truncate_on_rotation',
    selfManaged: true,
    isRight: isOn,
    right: 'on',
    expected: 'log_truncate_on_rotation = on',
    controls: controlsOf('logging', '3.1.7'),
  }),
  settingRule({
    id: 'log_rotation_age',
    title: 'The log is rotated each day',
    level: 'low',
    setting: 'log_rotation_age',
    selfManaged: true,
    isRight: within(1, 1440),
    right: '1d',
    expected: 'log_rotation_age is at most a day',
    controls: controlsOf('logging', '3.1.8'),
  }),
  settingRule({
    id: 'pgaudit_loaded',
    title: 'pgaudit is loaded',
    level: 'medium',
    setting: 'shared_preload_libraries',
    isRight: (value) => namesIn(value).some((name) => /(?:^|\/)pgaudit$/.test(name)),
    right: (value) => [...namesIn(value), 'pgaudit'],
    expected: 'shared_preload_libraries has pgaudit',
    controls: controlsOf('logging', '3.2'),
  }),
  defineRule({
    id: 'pgaudit_log',
    title: 'pgaudit logs what matters',
    level: 'medium',
    reads: 'server',
    expected: 'pgaudit.log has ddl, role and write, or is all',
    controls: controlsOf('logging', '3.2'),
    judge: (server, context) => {
      const libraries = server.settings.shared_preload_libraries;
      if (!libraries) return unknown('The login may not see shared_preload_libraries');
      if (!libraries.value.includes('pgaudit')) return notApplicable('pgaudit is not loaded; see pgaudit_loaded');
      const classes = namesIn(server.pgaudit_log ?? 'none').map((name) => name.toLowerCase());
      const found = `pgaudit.log = ${classes.join(', ')}`;
      const isRight = classes.includes('all') || ['ddl', 'role', 'write'].every((name) => classes.includes(name));
      return isRight
        ? pass(found)
        : failSetting(found, { name: 'pgaudit.log', value: 'ddl,role,write' }, server, context);
    },
  }),
];
