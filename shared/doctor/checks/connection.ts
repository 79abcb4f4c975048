import { readEndpoint } from '../../aws/rds-endpoint.ts';
import { type AnyCheck, type Context, configure, defineCheck, sql } from '../check.ts';
import { features } from '../features.ts';
import { quoteForPaste, quoteForReading } from '../quote-for-paste.ts';
import { needsServerItself } from './needs-server.ts';

/** Connections of a backup or a restore beside its lanes, and those of the sampler and the API. */
const OTHER_CONNECTIONS = 4;
const DAY_MS = 86_400_000;
/** So long before a login expires there is a finding. */
const EXPIRES_SOON_MS = 14 * DAY_MS;
const OLDEST_VERSION = 130_000;
const NEWEST_VERSION = 180_000;

const majorOf = (version: number): number => Math.floor(version / 10_000);

/** The way to the server, and room on it. */
export const connectionChecks: readonly AnyCheck[] = [
  defineCheck({
    id: 'server_not_supported',
    title: 'The kind of server is not supported',
    needs: 'no Babelfish, no Limitless Database, no Aurora DSQL',
    affects: { stops: features },
    reads: [],
    find(_facts, { server }) {
      if (!server?.unsupported) return null;
      return { message: `${server.id} is ${server.unsupported}`, remediation: [] };
    },
  }),
  defineCheck({
    id: 'resource_id_changed',
    title: 'The server has another resource id',
    needs:
      'with an IAM login the present `resource_id`: it changes with a blue/green switchover and with a restore of the server',
    affects: { stops: features },
    reads: [],
    find(_facts, { database: { login, direct }, server }) {
      if (login.type !== 'iam' || !server?.resourceId) return null;
      const configured = direct?.resource_id ?? login.resource_id;
      // That of a proxy is another one.
      if (configured === server.resourceId || configured.startsWith('prx-')) return null;
      return {
        message: `${server.id} has the resource id ${server.resourceId}, and the configuration names ${configured}: IAM refuses the login`,
        remediation: configure(
          direct?.resource_id === undefined
            ? `login: { type: 'iam', user: '${login.user}', resource_id: '${server.resourceId}' }`
            : `direct: { host: '${direct.host}', port: ${direct.port}, resource_id: '${server.resourceId}' }`,
        ),
      };
    },
  }),
  defineCheck({
    id: 'pooler_in_between',
    title: 'A connection pooler is in between',
    needs: 'the address of the server itself (`direct`), where `host` is a pooler',
    affects: { stops: needsServerItself },
    reads: [],
    find(_facts, { pooler, database, server }) {
      if (!pooler) return null;
      const name = database.direct ? 'direct.host' : 'host';
      const writer = writerOf(database.direct?.host ?? database.host, server);
      return {
        message: `At \`${name}\` there is ${pooler.name}: ${pooler.recognised_by}`,
        remediation: configure(
          `direct: { host: '${writer ?? `<${pooler.instead ?? 'address of the server itself'}>`}', port: 5432 }`,
        ),
      };
    },
  }),
  defineCheck({
    id: 'server_is_standby',
    title: 'The server is a standby',
    needs: 'the primary or the writer of a cluster, no reader',
    affects: { stops: ['restore', 'swap', 'recovery'], limits: ['backup', 'masking', 'access'] },
    reads: ['server'],
    find({ server }, { database, server: described }) {
      if (!server.in_recovery) return null;
      const host = database.direct?.host ?? database.host;
      const address = writerOf(host, described) ?? '<address of the primary>';
      return {
        message: `${host} leads to a standby or a reader: nothing can be created there, and backups may be cancelled by the replay of changes`,
        remediation: configure(
          database.direct ? `direct: { host: '${address}', port: ${database.direct.port} }` : `host: '${address}'`,
        ),
      };
    },
  }),
  defineCheck({
    id: 'version_not_supported',
    title: 'The version of the server is not supported',
    needs: 'PostgreSQL 13 to 18',
    affects: { stops: features },
    reads: ['server'],
    find({ server: { version, version_text } }) {
      const isNewer = majorOf(version) > majorOf(NEWEST_VERSION);
      if (version >= OLDEST_VERSION && !isNewer) return null;
      return {
        message: `The server is PostgreSQL ${version_text}; this system is made for 13 to 18`,
        remediation: [],
        ...(isNewer ? { affects: { limits: features } } : {}),
      };
    },
  }),
  defineCheck({
    id: 'not_encrypted',
    title: 'The connection is not encrypted',
    needs: 'TLS, unless the server is on the same machine',
    affects: { limits: features },
    reads: ['server'],
    find({ server }, { database, pooler }) {
      const host = database.direct?.host ?? database.host;
      const isLocal = /^(?:localhost|127\.\d+\.\d+\.\d+|::1|\/.*)$/i.test(host);
      if (server.encrypted !== false || isLocal || pooler) return null;
      return {
        message: 'Passwords and rows go over the network in plain text',
        remediation: configure(`tls: { mode: 'verify-full' }`),
      };
    },
  }),
  defineCheck({
    id: 'login_triggers_fire',
    title: 'Code of others runs when the login logs in',
    needs:
      'from PostgreSQL 17 on `event_triggers = off` for the login, where an event trigger fires when somebody logs in',
    affects: { limits: features },
    reads: ['login'],
    find({ login: { name, login_triggers: triggers, fires_no_event_triggers: isOff } }, context) {
      if (triggers.length === 0 || isOff) return null;
      return {
        message: `Event triggers run with the rights of ${quoteForReading(name)} whenever it logs in: ${triggers.map(quoteForReading).join(', ')}. Whoever owns such a function, which is in parentheses, can replace it`,
        remediation: sql(
          context,
          `ALTER ROLE ${quoteForPaste(name)} SET event_triggers = off;`,
          `GRANT SET ON PARAMETER event_triggers TO ${quoteForPaste(name)};`,
        ),
      };
    },
  }),
  defineCheck({
    id: 'login_expires',
    title: 'The login expires',
    needs: 'a login whose password does not expire by itself, or that is rotated before',
    affects: { limits: features },
    reads: ['login'],
    find({ login }, context) {
      if (login.valid_until === null || login.valid_until - context.now > EXPIRES_SOON_MS) return null;
      return {
        message: `The password of ${quoteForReading(login.name)} is valid until ${new Date(login.valid_until).toISOString()}`,
        remediation: sql(context, `ALTER ROLE ${quoteForPaste(login.name)} VALID UNTIL 'infinity';`),
      };
    },
  }),
  defineCheck({
    id: 'login_connection_limit',
    title: 'The login may have too few sessions',
    needs: 'as many sessions as a backup takes (`backups.connections`), and four more',
    affects: { stops: ['backup', 'restore', 'swap', 'masking'] },
    reads: ['login'],
    find({ login: { name, connection_limit: limit } }, context) {
      const wanted = wantedConnections(context.configuration.backups);
      if (limit === null || limit >= wanted) return null;
      return {
        message: `The login may have ${limit} sessions; this system takes up to ${wanted}`,
        remediation: sql(context, `ALTER ROLE ${quoteForPaste(name)} CONNECTION LIMIT -1;`),
      };
    },
  }),
  defineCheck({
    id: 'database_connection_limit',
    title: 'The database may have too few sessions',
    needs: 'as many sessions as a backup takes (`backups.connections`), and four more',
    affects: { stops: ['backup', 'masking'] },
    reads: ['database'],
    find({ database: { name, connection_limit: limit, sessions } }, context) {
      const wanted = wantedConnections(context.configuration.backups);
      if (limit === null || limit >= wanted) return null;
      return {
        message: `The database may have ${limit} sessions (${sessions} now); this system takes up to ${wanted}`,
        remediation: sql(context, `ALTER DATABASE ${quoteForPaste(name)} CONNECTION LIMIT -1;`),
      };
    },
  }),
  defineCheck({
    id: 'connections_exhausted',
    title: 'Few connections are left on the server',
    needs: 'free connections beside those that the server reserves',
    affects: { limits: ['backup', 'restore', 'swap', 'masking'] },
    reads: ['database', 'server'],
    find({ database: { max_connections: most, reserved, all_sessions: used } }, context) {
      const wanted = wantedConnections(context.configuration.backups);
      const free = most - reserved - used;
      if (free >= wanted) return null;
      return {
        message: `Of ${most} connections ${used} are in use and ${reserved} are reserved; ${Math.max(0, free)} are left, and this system takes up to ${wanted}`,
        remediation: configure(`backups: { connections: 1 }`),
      };
    },
  }),
];

/** The endpoint of a cluster's writer, as AWS tells it or as it follows from that of the readers; null: not known. */
function writerOf(host: string, server: Context['server']): string | null {
  if (server?.endpoints.writer) return server.endpoints.writer;
  return readEndpoint(host)?.type === 'reader' ? host.replace(/\.cluster-ro-/i, '.cluster-') : null;
}

const wantedConnections = ({ connections }: { connections: number }): number => connections + OTHER_CONNECTIONS;
