import { ownersOfExtension } from '../../../platforms/platforms.ts';

/** An extension, as the server knows it. */
export interface ExtensionFacts {
  name: string;
  /** The server has it. */
  available: boolean;
  /** It is not trusted: the server leaves it to superusers. */
  needs_superuser: boolean;
}

/** What of the server and the login decides which extensions can be created. Lists are texts with commas, as the settings have them. */
export interface ExtensionServer {
  superuser: boolean;
  is_rds_superuser: boolean;
  is_rds_extension: boolean;
  /** `rds.allowed_extensions` and `rds.allowed_delegated_extensions`; null: there is no such setting. */
  allowed: string | null;
  delegated: string | null;
  /** `cron.database_name`; null where pg_cron is not loaded. */
  cron_database: string | null;
  /** `shared_preload_libraries`; null where the login may not see it. */
  preloaded: string | null;
}

/** Why an extension cannot be created in a new database. */
export interface ExtensionRefusal {
  name: string;
  /** `untrusted`: another login could create it. */
  kind: 'missing' | 'refused' | 'untrusted';
  /** Completes a sentence that begins with the name. */
  reason: string;
}

/** The usual reason why a server does not have an extension. */
export const NOT_INSTALLED = 'is not installed on the server';

/** Extensions whose CREATE EXTENSION the server refuses unless it has loaded this library at its start. */
const LIBRARIES: Readonly<Record<string, string>> = {
  citus: 'citus',
  pg_cron: 'pg_cron',
  pg_stat_kcache: 'pg_stat_kcache',
  pg_tle: 'pg_tle',
  pg_wait_sampling: 'pg_wait_sampling',
  pgaudit: 'pgaudit',
  pglogical: 'pglogical',
  timescaledb: 'timescaledb',
};

/**
 * Says why an extension cannot be created in a new database; null when nothing is known to be in the way.
 *
 * pg_cron can be created in one database of a server alone, the one that its setting names, and a restore builds a database under a name of
 * its own: so a restore never can (https://github.com/citusdata/pg_cron).
 */
export function refusalOf(
  { name, available, needs_superuser }: ExtensionFacts,
  server: ExtensionServer,
): ExtensionRefusal | null {
  const refuse = (kind: ExtensionRefusal['kind'], reason: string): ExtensionRefusal => ({ name, kind, reason });
  if (!available) {
    const owners = ownersOfExtension(name);
    return refuse('missing', owners.length > 0 ? `is there on ${owners.join(' and ')} alone` : NOT_INSTALLED);
  }
  if (name === 'pg_cron') {
    const where =
      server.cron_database === null
        ? 'that cron.database_name names'
        : `"${server.cron_database}" (cron.database_name)`;
    return refuse(
      'refused',
      `can be created in the database ${where} alone, and a restore builds a database under another name`,
    );
  }
  const allowed = listOf(server.allowed);
  if (allowed.length > 0 && !allowed.includes('*') && !allowed.includes(name)) {
    return refuse('refused', 'is not in rds.allowed_extensions');
  }
  const library = LIBRARIES[name];
  if (
    library !== undefined &&
    server.preloaded !== null &&
    !listOf(server.preloaded).some((each) => each.endsWith(library))
  ) {
    return refuse('refused', `needs ${library} in shared_preload_libraries, and a restart`);
  }
  if (needs_superuser && !server.superuser && !server.is_rds_superuser && !isDelegated(name, server)) {
    return refuse('untrusted', 'can be created by a superuser alone (rds_superuser on RDS and Aurora)');
  }
  return null;
}

function isDelegated(name: string, { is_rds_extension, delegated }: ExtensionServer): boolean {
  const list = listOf(delegated);
  return is_rds_extension && (list.includes('*') || list.includes(name));
}

const listOf = (setting: string | null): string[] =>
  (setting ?? '')
    .split(',')
    .map((each) => each.trim().replace(/^["']|["']$/g, ''))
    .filter((each) => each !== '');
