import type { SecuritySettings } from '../../settings/read-settings.ts';
import { controlsOf } from '../controls.ts';
import { defineRule, fail, type Mend, pass } from '../rule.ts';

const SESSION_MINUTES = 720;
const AUDIT_DAYS = 90;

const settings = (change: Partial<SecuritySettings>): Mend[] => [
  { by: 'api', statement: `PUT /security/settings ${JSON.stringify({ settings: change })}` },
];
/** A place to begin with: the private networks of RFC 1918. */
const privateRanges = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16'];

/** Who may use this system. */
export const accessRules = [
  defineRule({
    id: 'address_ranges',
    title: 'Not every address may call this system',
    level: 'medium',
    reads: 'access',
    expected:
      'allowed_address_ranges names networks, not 0.0.0.0/0 or ::/0. The statement allows private ones; name your own',
    controls: controlsOf('exposure'),
    judge: ({ allowed_address_ranges: ranges }) => {
      const open = ranges.filter((range) => /\/0$/.test(range));
      return open.length === 0
        ? pass(ranges.join(', '))
        : fail(open.join(', '), settings({ allowed_address_ranges: privateRanges }));
    },
  }),
  defineRule({
    id: 'session_age',
    title: 'Sessions of people end',
    level: 'medium',
    reads: 'access',
    expected: `session_max_age_minutes is at most ${SESSION_MINUTES}`,
    controls: controlsOf('sessions'),
    judge: ({ session_max_age_minutes: minutes }) =>
      minutes <= SESSION_MINUTES
        ? pass(`${minutes} minutes`)
        : fail(`${minutes} minutes`, settings({ session_max_age_minutes: SESSION_MINUTES })),
  }),
  defineRule({
    id: 'audit_enabled',
    title: 'Every call is recorded',
    level: 'critical',
    reads: 'access',
    expected: 'enable_audit = true',
    controls: controlsOf('audit'),
    judge: ({ enable_audit }) =>
      enable_audit ? pass('It is on') : fail('It is off', settings({ enable_audit: true })),
  }),
  defineRule({
    id: 'audit_retention',
    title: 'Records are at hand for long enough',
    level: 'medium',
    reads: 'access',
    expected: `max_audit_retention_days is at least ${AUDIT_DAYS}; PCI DSS asks for three months at hand`,
    controls: controlsOf('audit'),
    judge: ({ max_audit_retention_days: days }) =>
      days >= AUDIT_DAYS
        ? pass(`${days} days`)
        : fail(`${days} days`, settings({ max_audit_retention_days: AUDIT_DAYS })),
  }),
  defineRule({
    id: 'audit_chain',
    title: 'The chain of records is whole, and sealed',
    level: 'critical',
    reads: 'audit',
    expected: 'Every record follows the one before it, and the chain was sealed when that was due',
    controls: controlsOf('audit'),
    judge: ({ intact, isSealed = true, found }) =>
      intact && isSealed ? pass(found) : fail(found, [{ by: 'api', statement: 'GET /security/audit/verify' }]),
  }),
  defineRule({
    id: 'alert_mails',
    title: 'Somebody hears of alerts',
    level: 'medium',
    reads: 'access',
    expected: 'alert_emails names at least one address',
    controls: controlsOf('logging'),
    judge: ({ alertEmails }) =>
      alertEmails > 0
        ? pass(`${alertEmails}`)
        : fail('Nobody does', [
            { by: 'configuration', statement: JSON.stringify({ alert_emails: ['dba@example.com'] }) },
          ]),
  }),
];
