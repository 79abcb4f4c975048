import { platformOf } from '../../../platforms/platforms.ts';
import { quoteIdentifier, quoteLiteral } from '../../../postgres/identifiers.ts';
import { controlsOf } from '../controls.ts';
import { type Context, listRule, sql } from '../rule.ts';
import { isSpared } from './roles.ts';
import { namesIn, settingRule, within } from './settings.ts';

const DAY_MS = 86_400_000;
/** PCI DSS 8.3.9 asks for a change every 90 days. */
const VALID_DAYS = 90;
const LONGEST_DAYS = 366;
const validUntil = (now: number): string => quoteLiteral(new Date(now + VALID_DAYS * DAY_MS).toISOString());
const alterRole = (name: string, what: string) => sql(`ALTER ROLE ${quoteIdentifier(name)} ${what};`);

/** AWS's roles and the master user: who changes their passwords by SQL locks administrators out. */
const isMaster = (name: string, { database, instance }: Context): boolean =>
  name === instance?.masterUser || platformOf(database).privileges.isOwnRole(name);

/** How passwords are stored, checked and how long they hold. */
export const passwordRules = [
  settingRule({
    id: 'password_encryption',
    title: 'New passwords are stored as SCRAM-SHA-256',
    level: 'high',
    setting: 'password_encryption',
    isRight: (value) => value === 'scram-sha-256',
    right: 'scram-sha-256',
    expected: 'password_encryption = scram-sha-256',
    controls: controlsOf('passwords', '5.12'),
  }),
  settingRule({
    id: 'scram_iterations',
    title: 'Password hashes take enough rounds',
    level: 'low',
    setting: 'scram_iterations',
    since: 16,
    isRight: within(4096),
    right: '4096',
    expected: 'scram_iterations is at least 4096 (RFC 7677)',
    controls: controlsOf('passwords', '5.12'),
  }),
  settingRule({
    id: 'password_check',
    title: 'Weak passwords are refused',
    level: 'medium',
    setting: 'shared_preload_libraries',
    selfManaged: true,
    isRight: (value) => namesIn(value).some((name) => /^(?:\$libdir\/)?(?:passwordcheck|credcheck)$/.test(name)),
    right: (value) => [...namesIn(value), 'passwordcheck'],
    expected: 'shared_preload_libraries has passwordcheck or credcheck',
    controls: controlsOf('passwords', '5.6'),
  }),
  listRule({
    id: 'passwords_as_md5',
    title: 'No password is stored as MD5',
    level: 'high',
    reads: 'passwords',
    expected:
      'Every stored password is a SCRAM-SHA-256 verifier. Set a new one with \\password once the old one is removed',
    controls: controlsOf('passwords', '5.12'),
    offenders: (logins, context) =>
      logins.filter(({ name, kind }) => (kind === 'md5' || kind === 'other') && !isMaster(name, context)),
    name: ({ name }) => name,
    mend: ({ name }) => alterRole(name, 'PASSWORD NULL'),
  }),
  listRule({
    id: 'passwords_weakly_hashed',
    title: 'No stored password was hashed with too few rounds',
    level: 'low',
    reads: 'passwords',
    expected:
      'Every verifier has at least 4096 rounds (RFC 7677). Set a new password with \\password once the old one is removed',
    controls: controlsOf('passwords', '5.12'),
    offenders: (logins, context) =>
      logins.filter(
        ({ name, kind, iterations }) => kind === 'scram-sha-256' && iterations < 4096 && !isMaster(name, context),
      ),
    name: ({ name }) => name,
    mend: ({ name }) => alterRole(name, 'PASSWORD NULL'),
  }),
  listRule({
    id: 'logins_end',
    title: 'Logins have an end',
    level: 'low',
    reads: 'roles',
    expected: 'Every login but that of this system, whose secret rotates, has VALID UNTIL',
    controls: controlsOf('passwords'),
    offenders: (roles, context) =>
      roles.filter(
        (role) =>
          role.login && !role.bootstrap && !role.by_iam && role.valid_until === null && !isSpared(role, context),
      ),
    name: ({ name }) => name,
    mend: ({ name }, { now }) => alterRole(name, `VALID UNTIL ${validUntil(now)}`),
  }),
  listRule({
    id: 'logins_end_in_time',
    title: 'No login is valid for more than a year',
    level: 'low',
    reads: 'roles',
    expected: `VALID UNTIL is at most ${LONGEST_DAYS} days away`,
    controls: controlsOf('passwords'),
    offenders: (roles, context) =>
      roles.filter(
        (role) =>
          role.login &&
          (role.valid_until ?? 0) > context.now + LONGEST_DAYS * DAY_MS &&
          !platformOf(context.database).privileges.isAdministrator(role, context.instance),
      ),
    name: ({ name }) => name,
    mend: ({ name }, { now }) => alterRole(name, `VALID UNTIL ${validUntil(now)}`),
  }),
  listRule({
    id: 'expired_logins',
    title: 'What has expired can no longer log in',
    level: 'medium',
    reads: 'roles',
    expected: 'NOLOGIN once VALID UNTIL has passed: it holds for passwords alone, not for certificates or trust',
    controls: controlsOf('unused', '4.4'),
    offenders: (roles, context) =>
      roles.filter(
        (role) => role.login && role.valid_until !== null && role.valid_until < context.now && !isSpared(role, context),
      ),
    name: ({ name }) => name,
    mend: ({ name }) => alterRole(name, 'NOLOGIN'),
  }),
  listRule({
    id: 'logins_without_password',
    title: 'No login is without a password',
    level: 'low',
    reads: 'passwords',
    expected:
      'A role that may log in has a password; others are NOLOGIN. Logins by certificate, IAM or the system are waived by hand',
    controls: controlsOf('authentication', '5.4'),
    offenders: (logins, context) =>
      logins.filter(({ name, kind, own }) => kind === 'none' && !own && !isMaster(name, context)),
    name: ({ name }) => name,
    mend: ({ name }) => alterRole(name, 'NOLOGIN'),
  }),
];
