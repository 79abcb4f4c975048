import { quoteIdentifier } from '../../postgres/identifiers.ts';
import type { Privilege } from '../manifest.ts';

/**
 * Statements that turn an object's default privileges into the given ones. Run them once the object has its owner, whose own
 * privileges, which it may have given up, are among them.
 *
 * @param object - as GRANT names it, quoted: `DATABASE "shop"`, `LARGE OBJECT 4711`
 */
export function grantStatements(
  object: string,
  privileges: readonly Privilege[],
  { owner }: { owner: string },
): string[] {
  const grants = privileges.map(
    ({ grantee, privilege, grantable }) =>
      `GRANT ${privilege} ON ${object} TO ${grantee === null ? 'PUBLIC' : quoteIdentifier(grantee)}${grantable ? ' WITH GRANT OPTION' : ''}`,
  );
  return [`REVOKE ALL ON ${object} FROM PUBLIC`, `REVOKE ALL ON ${object} FROM ${quoteIdentifier(owner)}`, ...grants];
}
