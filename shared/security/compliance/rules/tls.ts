import { verifiesCertificate } from '../../../configuration/tls.ts';
import { controlsOf } from '../controls.ts';
import { defineRule, fail, notApplicable, pass } from '../rule.ts';
import { failSetting, isOn, settingRule } from './settings.ts';

const protocols = ['', 'SSLv3', 'TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'];
const WEAK =
  /^(?:MEDIUM|LOW|EXP|EXPORT\d*|[ae]?NULL|COMPLEMENTOFALL|ALL|DEFAULT|RC4|RC2|3DES|DES|MD5|ADH|AECDH|IDEA|SEED)$/i;
/** What the list of ciphers takes in. A name after `!` or `-` is left out, one after `+` only moved. */
const takenIn = (list: string): string[] => list.split(/[:, ]+/).filter((name) => /^[A-Za-z0-9]/.test(name));

/** Encryption of connections. */
export const tlsRules = [
  settingRule({
    id: 'tls_enabled',
    title: 'The server offers TLS',
    level: 'critical',
    setting: 'ssl',
    isRight: isOn,
    right: 'on',
    expected: 'ssl = on, with a certificate that clients can verify',
    controls: controlsOf('transit', '6.8', '5.8'),
  }),
  settingRule({
    id: 'tls_protocol',
    title: 'TLS below 1.2 is refused',
    level: 'high',
    setting: 'ssl_min_protocol_version',
    isRight: (value) => protocols.indexOf(value) >= protocols.indexOf('TLSv1.2'),
    right: 'TLSv1.2',
    expected: 'ssl_min_protocol_version is TLSv1.2 or TLSv1.3',
    controls: controlsOf('transit', '6.9'),
  }),
  settingRule({
    id: 'tls_no_upper_protocol',
    title: 'TLS 1.3 is not shut out',
    level: 'medium',
    setting: 'ssl_max_protocol_version',
    isRight: (value) => value === '' || value === 'TLSv1.3',
    // Parameter groups take no empty value.
    right: 'TLSv1.3',
    expected: "ssl_max_protocol_version is '' or TLSv1.3",
    controls: controlsOf('transit', '6.9'),
  }),
  settingRule({
    id: 'tls_ciphers',
    title: 'Weak TLS ciphers are left out',
    level: 'medium',
    setting: 'ssl_ciphers',
    isRight: (value) => !takenIn(value).some((name) => WEAK.test(name)),
    right: 'HIGH:!aNULL:!eNULL:!3DES:!RC4:!MD5',
    expected: 'ssl_ciphers takes in no MEDIUM, LOW, EXPORT, NULL, 3DES, RC4 or MD5 cipher',
    controls: controlsOf('transit', '6.10'),
  }),
  settingRule({
    id: 'tls_server_chooses',
    title: 'The server chooses the cipher',
    level: 'low',
    setting: 'ssl_prefer_server_ciphers',
    isRight: isOn,
    right: 'on',
    expected: 'ssl_prefer_server_ciphers = on',
    controls: controlsOf('transit', '6.10'),
  }),
  defineRule({
    id: 'tls_forced',
    title: 'RDS refuses connections without TLS',
    level: 'high',
    reads: 'server',
    expected: 'rds.force_ssl = 1. It is the default from PostgreSQL 15 on RDS and from 17 on Aurora',
    controls: controlsOf('transit', '6.8', '5.8'),
    judge: (server, context) => {
      const { force_ssl: value } = server;
      if (value === null) return notApplicable('The server has no rds.force_ssl; see hba_plain_text');
      const found = `rds.force_ssl = ${value}`;
      if (['on', '1'].includes(value)) return pass(found);
      return failSetting(found, { name: 'rds.force_ssl', value: '1' }, server, context);
    },
  }),
  defineRule({
    id: 'tls_of_this_system',
    title: 'This system reaches the database over TLS',
    level: 'high',
    reads: 'server',
    expected: 'The connection of this system is encrypted, and the certificate verified',
    controls: controlsOf('transit', '5.8'),
    judge: ({ is_encrypted }, { database }) => {
      if (is_encrypted && database.tls.mode === 'verify-full')
        return pass('The connection that read this is encrypted, and the server verified');
      const change = { id: database.id, tls: { mode: 'verify-full' } };
      const found = is_encrypted
        ? `encrypted, but with tls.mode ${database.tls.mode} ${verifiesCertificate(database.tls) ? 'the host name' : 'the certificate'} is not verified`
        : 'plain text';
      return fail(`The connection that read this is ${found}`, [
        { by: 'configuration', statement: JSON.stringify({ databases: [change] }) },
      ]);
    },
  }),
];
