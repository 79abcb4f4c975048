import { quoteIdentifier } from '../../postgres/identifiers.ts';
import type { Privilege } from '../manifest.ts';

/**
 * Statements that turn an object's default privileges into the given ones. The owner's own are left to ownership.
 *
 * @param object - as GRANT names it, quoted: `DATABASE "shop"`, `LARGE OBJECT 4711`
 */
export function grantStatements(
  object: string,
  privileges: readonly Privilege[],
  { owner }: { owner: string },
): string[] {
  const grants = privileges
    .filter(({ grantee }) => grantee !== owner)
    .map(
      ({ grantee, privilege, grantable }) =>
        `GRANT ${privilege} ON ${object} TO ${grantee === null ? 'PUBLIC' : quoteIdentifier(grantee)}${grantable ? ' WITH GRANT OPTION' : ''}`,
    );
  return [`REVOKE ALL ON ${object} FROM PUBLIC`, ...grants];
}
