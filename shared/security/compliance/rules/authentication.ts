import { platformOf } from '../../../platforms/platforms.ts';
import { quoteShell } from '../../../quote-shell.ts';
import { controlsOf } from '../controls.ts';
import type { SqlSections } from '../readings/sql-sections.ts';
import { type Context, type Judgement, listRule, type Mend, notApplicable } from '../rule.ts';
import { namesIn, settingRule, within } from './settings.ts';

type Line = SqlSections['hba'][number];

const reload: Mend = { by: 'sql', statement: 'SELECT pg_catalog.pg_reload_conf();' };
/** Changes one line of pg_hba.conf, as sed writes it, and takes it over. */
const editLine = ({ line, file }: Line, edit: string): Mend[] => [
  { by: 'shell', statement: `sed -i ${quoteShell(`${line}${edit}`)} ${quoteShell(file)}` },
  reload,
];
const turnOff = (line: Line): Mend[] => editLine(line, 's/^/# /');
const nameOf = ({ line, type, databases, users, address, method }: Line): string =>
  `line ${line} (${[type, databases?.join(','), users?.join(','), address, method].filter((part) => part !== null && part !== undefined).join(' ')})`;

/** AWS writes the file of a managed server, and none of it can be changed. */
const onLines =
  (isWrong: (line: Line) => boolean) =>
  (lines: SqlSections['hba'], { database }: Context): Line[] | Judgement =>
    platformOf(database).endpoints.hasFiles ? lines.filter(isWrong) : notApplicable('AWS keeps pg_hba.conf');

const admits = ({ error, method }: Line): boolean => error === null && method !== 'reject';
const isLoopback = ({ type, address }: Line): boolean =>
  type === 'local' || /^(?:127\.|::1$|localhost$|samehost$)/.test(address ?? '');

/** Who may begin a session, from where, and by what. */
export const authenticationRules = [
  listRule({
    id: 'hba_trust',
    title: 'Nobody is let in without proof',
    level: 'critical',
    reads: 'hba',
    expected: 'No line of pg_hba.conf has the method trust',
    controls: controlsOf('authentication', '5.3', '5.4'),
    offenders: onLines((line) => admits(line) && line.method === 'trust'),
    name: nameOf,
    mend: (line) => editLine(line, 's/\\btrust\\b/scram-sha-256/'),
  }),
  listRule({
    id: 'hba_weak_method',
    title: 'No weak method proves who somebody is',
    level: 'high',
    reads: 'hba',
    expected: 'No line of pg_hba.conf has the method password, md5 or ident',
    controls: controlsOf('authentication', '5.4'),
    offenders: onLines((line) => admits(line) && ['password', 'md5', 'ident'].includes(line.method ?? '')),
    name: nameOf,
    mend: (line) => editLine(line, `s/\\b${line.method}\\b/scram-sha-256/`),
  }),
  listRule({
    id: 'hba_plain_text',
    title: 'Over the network, TLS is needed',
    level: 'high',
    reads: 'hba',
    expected: 'Lines of pg_hba.conf for other machines are hostssl or hostgssenc',
    controls: controlsOf('transit', '5.8'),
    offenders: onLines(
      (line) => admits(line) && !isLoopback(line) && ['host', 'hostnossl', 'hostnogssenc'].includes(line.type ?? ''),
    ),
    name: nameOf,
    mend: (line) => editLine(line, `s/^\\s*${line.type}\\b/hostssl/`),
  }),
  listRule({
    id: 'hba_open_range',
    title: 'Not every address may try to log in',
    level: 'high',
    reads: 'hba',
    expected: 'No line of pg_hba.conf lets in all, 0.0.0.0/0 or ::/0',
    controls: controlsOf('exposure', '5.9'),
    offenders: onLines(
      (line) => admits(line) && (line.address === 'all' || ['0.0.0.0', '::'].includes(line.netmask ?? '')),
    ),
    name: nameOf,
    mend: turnOff,
  }),
  listRule({
    id: 'hba_replication',
    title: 'Not every role may replicate',
    level: 'high',
    reads: 'hba',
    expected: 'Lines of pg_hba.conf for replication name their users',
    controls: controlsOf('authentication', '7.1', '5.10'),
    offenders: onLines(
      (line) =>
        admits(line) &&
        !isLoopback(line) &&
        line.databases?.includes('replication') === true &&
        line.users?.includes('all') === true,
    ),
    name: nameOf,
    mend: turnOff,
  }),
  listRule({
    id: 'hba_errors',
    title: 'Every line of pg_hba.conf is understood',
    level: 'medium',
    reads: 'hba',
    expected: 'No line is in error: with one, the server keeps what it had read before',
    controls: controlsOf('authentication', '5.4'),
    offenders: onLines(({ error }) => error !== null),
    name: ({ line, error }) => `line ${line} (${error})`,
    mend: turnOff,
  }),
  settingRule({
    id: 'listen_addresses',
    title: 'The server listens on named addresses',
    level: 'medium',
    setting: 'listen_addresses',
    selfManaged: true,
    isRight: (value) => !namesIn(value).some((name) => ['*', '0.0.0.0', '::'].includes(name)),
    right: 'localhost',
    expected: 'listen_addresses names the addresses of its network; localhost until they are named',
    controls: controlsOf('exposure', '5.2'),
  }),
  settingRule({
    id: 'authentication_timeout',
    title: 'Logging in has a time limit',
    level: 'low',
    setting: 'authentication_timeout',
    isRight: within(1, 60),
    right: '60s',
    expected: 'authentication_timeout is at most a minute',
    controls: controlsOf('authentication', '5.7'),
  }),
  settingRule({
    id: 'auth_delay',
    title: 'Guessing passwords is slowed down',
    level: 'low',
    setting: 'shared_preload_libraries',
    selfManaged: true,
    isRight: (value) => namesIn(value).some((name) => /^(?:\$libdir\/)?(?:auth_delay|credcheck)$/.test(name)),
    right: (value) => [...namesIn(value), 'auth_delay'],
    expected: 'shared_preload_libraries has auth_delay or credcheck',
    controls: controlsOf('authentication', '5.7'),
  }),
  settingRule({
    id: 'socket_permissions',
    title: 'Not every user of the machine may connect',
    level: 'low',
    setting: 'unix_socket_permissions',
    selfManaged: true,
    isRight: (value, { settings }) =>
      settings.unix_socket_directories?.value === '' || (Number.parseInt(value, 8) & 0o007) === 0,
    right: '0770',
    expected: 'unix_socket_permissions gives nothing to others, or there is no such socket',
    controls: controlsOf('authentication', '5.3'),
  }),
  settingRule({
    id: 'log_file_mode',
    title: 'Only the server’s own user may read its log',
    level: 'low',
    setting: 'log_file_mode',
    selfManaged: true,
    isRight: (value) => (Number.parseInt(value, 8) & 0o077) === 0,
    right: '0600',
    expected: 'log_file_mode = 0600: the log lies in the data folder and may hold what statements hold',
    controls: controlsOf('secrecyOfLogs', '3.1.6'),
  }),
];
