import { describe, expect, test } from 'vitest';
import { forPaste } from '../../shared/postgres/for-paste.ts';
import { quoteIdentifier } from '../../shared/postgres/identifiers.ts';
import { sql } from '../../shared/security/compliance/rule.ts';
import { parseStatements } from '../support/sql-parser.ts';

const NASTY = 'x"\n\\! touch /tmp/x\u001b[201~\u202e';

describe('a statement to be pasted', () => {
  test('is as it was without what a terminal takes for commands', () => {
    const statement = `ALTER ROLE ${quoteIdentifier('a "b" \\ ü')} VALID UNTIL '2030-01-01'`;
    expect(forPaste(statement)).toBe(statement);
  });

  test.each([
    `ALTER ROLE ${quoteIdentifier(NASTY)} NOLOGIN;`,
    `REVOKE EXECUTE ON FUNCTION "s".${quoteIdentifier(NASTY)}(text) FROM PUBLIC;`,
    `COMMENT ON ROLE a IS '${NASTY}';`,
  ])('has its names and texts in numbers: %j', async (statement) => {
    const pasted = forPaste(statement);
    expect(pasted).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    // The server reads the same.
    const withoutPlaces = (tree: unknown) => JSON.stringify(tree).replaceAll(/"(?:location|stmt_\w+)":\d+,?/g, '');
    expect(withoutPlaces(await parseStatements(pasted))).toBe(withoutPlaces(await parseStatements(statement)));
  });

  test('is what rules of compliance give', () => {
    expect(sql(`DROP ROLE ${quoteIdentifier(NASTY)};`)[0]?.statement).toBe(
      'DROP ROLE U&"x""\\+00000a\\\\! touch /tmp/x\\+00001b[201~\\+00202e";',
    );
  });
});
