import type pg from 'pg';
import type * as z from 'zod';
import type { RouteDefinition } from '../../contract/define-route.ts';
import { roleIncludes, roleSchema } from '../../contract/roles.ts';
import { routes } from '../../contract/routes.ts';
import type { accessSchema } from '../../contract/schemas/access.ts';
import type { StateTable } from '../../state/table.ts';
import { readSecuritySettings } from '../settings/read-settings.ts';
import { readLogins } from './logins.ts';
import { listRevocations } from './revocations.ts';
import { noteSightings } from './sightings.ts';

const isoOf = (at: number | null | undefined): string | null => (at == null ? null : new Date(at).toISOString());

/**
 * Who can do what: in this system by the contract, and on a server by its catalogs.
 *
 * @throws the driver's and the SDK's errors
 */
export async function describeAccess(
  client: pg.Client,
  table: StateTable,
  database: string,
): Promise<z.input<typeof accessSchema>> {
  const logins = await readLogins(client);
  const sightings = await noteSightings(client, table, database);
  const { session_max_age_minutes, allowed_address_ranges, requests_per_minute } = await readSecuritySettings(table);
  return {
    roles: roleSchema.options.map((role) => ({
      role,
      routes: (routes as readonly RouteDefinition[])
        .filter(({ leastRole }) => leastRole === 'public' || roleIncludes([role], leastRole))
        .map(({ method, path }) => `${method} ${path}`),
    })),
    limits: { session_max_age_minutes, allowed_address_ranges, requests_per_minute },
    revocations: await listRevocations(table),
    database,
    looked_since: new Date(sightings.since).toISOString(),
    logins: logins.map((login) => ({ ...login, last_seen: isoOf(sightings.last_seen[login.name]) })),
  };
}
