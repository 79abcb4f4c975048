import type { Database } from '../configuration/runtime.ts';
import type { RouteDefinition } from '../contract/define-route.ts';
import { OperationError } from '../errors.ts';
import { areOnOneServer } from '../postgres/target.ts';
import { ownersOf } from '../security/audit/concerned-database.ts';
import type { StateTable } from '../state/table.ts';
import { type Caller, reaches } from './caller.ts';
import { Refusal } from './problem.ts';
import type { ParsedRequest } from './read-request.ts';

type Limited = Caller & { databases: readonly string[] };
type Fields = Readonly<Record<string, unknown>>;

/**
 * Holds a caller whose roles are limited to some databases to these: what a request names of others is refused, before anything is done. A thing of
 * another database (a job, a backup, an alert) is answered as one that is not there. A route that says nothing of a database is about the
 * system as a whole, and refused: a new one is, until it names what it is about.
 *
 * @returns the request, about the first database of the caller's where it names none
 * @throws Refusal 403 `database_not_allowed`, or 404 as for what is not there; the SDK's errors
 */
export async function limitDatabases(
  { state, databases }: { state: StateTable; databases: readonly Database[] },
  route: RouteDefinition,
  caller: Caller | null,
  request: ParsedRequest,
): Promise<ParsedRequest> {
  if (!isLimited(caller)) return request;
  const query = request.query as Fields;
  if (route.query && 'database' in route.query.shape) {
    if (query.scope === 'system' || query.all === 'true') throw notAllowed(caller, 'query', route);
    const database = nameOf(query, databases, caller, route);
    const { environment } = (request.body ?? {}) as Fields;
    if (environment !== undefined) {
      if (!reaches(caller, String(environment))) throw notAllowed(caller, 'body.environment', route);
      assertConfigured(databases, String(environment));
    } else assertConfigured(databases, database);
    if (route.reach === 'server') assertWholeServer(databases, database, caller, route);
    return { ...request, query: { ...query, database } };
  }
  const { id } = request.params as Fields;
  if (typeof id !== 'string') throw notAllowed(caller, 'path', route);
  const owners = await ownersOf(state, id, databases);
  if (owners === null) throw notAllowed(caller, 'path', route);
  const other = owners.found?.some((database) => !reaches(caller, database));
  if (other) throw new Refusal(owners.unknown.code, owners.unknown.message, owners.unknown.nextStep);
  return request;
}

const isLimited = (caller: Caller | null): caller is Limited => caller !== null && caller.databases !== null;

function nameOf(query: Fields, configured: readonly Database[], caller: Limited, route: RouteDefinition): string {
  const named =
    query.database === undefined
      ? configured.find(({ id }) => caller.databases.includes(id))?.id
      : String(query.database);
  if (named === undefined || !reaches(caller, named)) throw notAllowed(caller, 'query.database', route);
  return named;
}

/** The message for others names every configured database. @throws OperationError `unknown_database` */
function assertConfigured(databases: readonly Database[], wanted: string): void {
  if (databases.some(({ id }) => id === wanted)) return;
  throw new OperationError('unknown_database', `No database "${wanted}" is configured`, 'Use one of your databases.');
}

/** Sessions and logins are of the server, and so of all its databases. */
function assertWholeServer(
  databases: readonly Database[],
  wanted: string,
  caller: Limited,
  route: RouteDefinition,
): void {
  const database = databases.find(({ id }) => id === wanted);
  const others = databases.filter((each) => database && areOnOneServer(each, database));
  if (others.every(({ id }) => reaches(caller, id))) return;
  throw new Refusal(
    'database_not_allowed',
    `${route.summary} is about the whole server of ${wanted}, which has databases that your roles are not for`,
    'Ask somebody whose roles are for all databases of that server.',
  );
}

function notAllowed(caller: Limited, at: string, { summary }: RouteDefinition): Refusal {
  const own = `your roles are for ${caller.databases.join(', ') || 'no database'}`;
  const isField = at.includes('.');
  return new Refusal(
    'database_not_allowed',
    isField ? `${summary} is refused for that database: ${own}` : `${summary} is about the system as a whole: ${own}`,
    isField
      ? 'Name one of these, or ask an administrator for access.'
      : 'Ask somebody whose roles are for all databases.',
    isField ? { errors: [{ field: at, message: 'is a database that your roles are not for' }] } : {},
  );
}
