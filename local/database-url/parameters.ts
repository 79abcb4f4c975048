import { malformed } from './error.ts';

/** What becomes of a connection parameter of libpq. */
interface Parameter {
  /** The environment variable that stands for it where the address does not name it. */
  readonly variable?: string;
  /** The only values that mean what this system does anyway; absent: any value is used. */
  readonly accepted?: readonly string[];
  /** Any value is taken and has no effect: this system sets its own. */
  readonly hasNoEffect?: true;
}

const used = (variable?: string): Parameter => (variable ? { variable } : {});
const only = (...accepted: string[]): Parameter => ({ accepted });
const noEffect: Parameter = { hasNoEffect: true };
/** It would change the target or the safety of the connection, and is not supported here: it is refused, never ignored. */
const refused: Parameter = { accepted: [] };

/**
 * Every parameter that libpq knows.
 *
 * @see https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
 */
const parameters = {
  host: used('PGHOST'),
  port: used('PGPORT'),
  dbname: used('PGDATABASE'),
  user: used('PGUSER'),
  password: used('PGPASSWORD'),
  passfile: used('PGPASSFILE'),
  connect_timeout: used('PGCONNECT_TIMEOUT'),
  sslmode: used('PGSSLMODE'),
  sslrootcert: used('PGSSLROOTCERT'),
  sslcrl: used('PGSSLCRL'),
  sslcert: used('PGSSLCERT'),
  sslkey: used('PGSSLKEY'),
  sslpassword: used(),

  application_name: noEffect,
  fallback_application_name: noEffect,
  client_encoding: noEffect,
  keepalives: noEffect,
  keepalives_idle: noEffect,
  keepalives_interval: noEffect,
  keepalives_count: noEffect,
  tcp_user_timeout: noEffect,
  krbsrvname: noEffect,
  gsslib: noEffect,
  gssdelegation: noEffect,

  channel_binding: only('disable', 'prefer'),
  gssencmode: only('disable', 'prefer'),
  sslcertmode: only('allow'),
  sslcompression: only('0'),
  sslnegotiation: only('postgres'),
  sslsni: only('1'),
  ssl_min_protocol_version: only('', 'TLSv1.2'),
  ssl_max_protocol_version: only('', 'TLSv1.3'),
  min_protocol_version: only('', '3.0'),
  max_protocol_version: only('', '3.0'),
  target_session_attrs: only('any'),
  load_balance_hosts: only('disable'),
  replication: only('0', 'false', 'off', 'no'),

  hostaddr: refused,
  options: refused,
  oauth_client_id: refused,
  oauth_client_secret: refused,
  oauth_issuer: refused,
  oauth_scope: refused,
  require_auth: refused,
  requirepeer: refused,
  scram_client_key: refused,
  scram_server_key: refused,
  service: refused,
  servicefile: refused,
  sslcrldir: refused,
  sslkeylogfile: refused,
} as const satisfies Record<string, Parameter>;

type Name = keyof typeof parameters;
/** Parameters that an address is read for. */
export type UsedName = Extract<
  {
    [Each in Name]: (typeof parameters)[Each] extends { accepted: unknown } | { hasNoEffect: true } ? never : Each;
  }[Name],
  string
>;
export type Parameters = Partial<Record<UsedName, string>>;

const byName: Readonly<Record<string, Parameter | undefined>> = parameters;
const usedNames = Object.keys(parameters).filter((name) => {
  const { accepted, hasNoEffect } = byName[name] ?? {};
  return accepted === undefined && hasNoEffect === undefined;
});

/** Takes a parameter of the address in, unless it has no effect. @throws DatabaseUrlError when it is unknown, or cannot be honoured */
export function addParameter(into: Parameters, ignored: string[], name: string, value: string): void {
  const parameter = Object.hasOwn(byName, name) ? byName[name] : undefined;
  if (!parameter) {
    throw malformed(
      `invalid URI query parameter "${name}"`,
      `Correct its name, or leave it out. Those with an effect here are ${usedNames.join(', ')}.`,
    );
  }
  if (parameter.hasNoEffect) ignored.push(name);
  else if (parameter.accepted === undefined) into[name as UsedName] = value;
  else if (parameter.accepted.length === 0) {
    throw malformed(`the parameter "${name}" of libpq is not supported here`, 'Leave it out.');
  } else if (!parameter.accepted.includes(value)) {
    throw malformed(
      `the value "${value}" of the parameter "${name}" is not supported here`,
      `Leave the parameter out; without it, it is ${parameter.accepted.filter(Boolean).join(' or ')}.`,
    );
  }
}

/** What the environment says for the parameters that an address can name; the address comes first. */
export function fromEnvironment(environment: NodeJS.ProcessEnv): Parameters {
  const found: Parameters = {};
  for (const name of usedNames) {
    const value = environment[byName[name]?.variable ?? ''];
    if (value) found[name as UsedName] = value;
  }
  return found;
}
