import fc from 'fast-check';
import { loadModule, parseSync } from 'libpg-query';
import { beforeAll, describe, expect, test } from 'vitest';
import { readScript, splitStatements } from '../../shared/postgres/statements.ts';
import { tokens } from '../../shared/postgres/tokens.ts';

beforeAll(() => loadModule());

interface RawStatement {
  stmt_location?: number;
  stmt_len?: number;
}

/** The server's own parser as the oracle: it gives byte offsets, with the comments in front of a statement. */
function statementsOfTheServer(sql: string): string[] {
  const bytes = Buffer.from(sql);
  const { stmts = [] } = parseSync(sql) as { stmts?: RawStatement[] };
  return stmts.map(({ stmt_location: start = 0, stmt_len: length }) => {
    const text = bytes.subarray(start, length ? start + length : undefined).toString();
    const inside = [...tokens(text)].filter(({ kind }) => kind !== 'space' && kind !== 'comment');
    return text.slice(inside.at(0)?.start, inside.at(-1)?.end).replace(/;$/, '');
  });
}

const SCRIPTS: Record<string, string> = {
  plain: 'SELECT 1; SELECT 2',
  'empty statements': ';;SELECT 1;;\n-- nothing\n;',
  'semicolons in quotes': `SELECT ';', ';'';', ";" FROM ";"";"; SELECT 2`,
  'escape strings': String.raw`SELECT E'\';', e'\\', '\'; SELECT 2`,
  'a continued escape string': `SELECT E'a' \n  '\\';'\n'\\''; SELECT 2`,
  'a continued plain string': `SELECT 'a'\n'\\'; SELECT 2`,
  'not a continued string': String.raw`SELECT E'a' AS x, '\'; SELECT 2`,
  'Unicode strings': `SELECT U&'\\0041;', U&";\\0041" FROM x; SELECT N';', B'01', X'1F'`,
  'dollar quotes': 'SELECT $$;$$, $a$;$$;$b$;$a$; SELECT 2',
  'dollar in a name': 'SELECT a$b$ FROM t$c$; SELECT d$b$',
  parameters: 'SELECT $1; SELECT $2+$1',
  'Unicode dollar tag': 'SELECT $é$;$é$; SELECT 2',
  'nested comments': 'SELECT /* ; /* ; */ ; */ 1; -- ; \nSELECT 2 -- ;',
  'a comment in an operator': 'SELECT 1 +--;\n2; SELECT 1 */* ; */2',
  'a rule with several actions': 'CREATE RULE r AS ON INSERT TO t DO INSTEAD (SELECT 1; SELECT 2); SELECT 3',
  'a function in standard SQL': `CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql BEGIN ATOMIC
    SELECT CASE WHEN a = 1 THEN (CASE a WHEN 1 THEN 2 END) ELSE 3 END;
    SELECT a AS end, t.case FROM t; SELECT 1;
  END; SELECT 2`,
  'a procedure replaced':
    'CREATE OR REPLACE PROCEDURE p() begin /* ; */ atomic INSERT INTO t VALUES (1); END; SELECT 1',
  'an empty body': 'CREATE FUNCTION f() RETURNS void BEGIN ATOMIC END; SELECT 1',
  transactions: 'BEGIN; SELECT 1; END; BEGIN; COMMIT',
  'names like key words':
    'CREATE TABLE atomic (begin int); SELECT begin FROM atomic; CREATE FUNCTION begin(begin int) RETURNS int AS $$x$$ LANGUAGE sql; SELECT 1',
  'surrogate pairs': `SELECT '🐘;', "🐘;" FROM t🐘; SELECT $🐘$;$🐘$`,
};

describe('splitting statements', () => {
  test.each(Object.entries(SCRIPTS))('%s, as the server does', (_name, sql) => {
    const expected = statementsOfTheServer(sql);
    expect(expected.length).toBeGreaterThan(0);
    expect(splitStatements(sql)).toEqual(expected);
  });

  test('a comment may stand in a continued string, as in the server but not in libpg-query', () => {
    const sql = "SELECT E'a' -- ' \n--x\n '\\';'";
    expect(splitStatements(`${sql}; SELECT 2`)).toEqual([sql, 'SELECT 2']);
  });

  test('gives back what was joined', () => {
    const content = fc.string({
      unit: fc.constantFrom("'", '"', '$', ';', '\\', '-', '/', '*', '\n', 'a', 'é', '🐘', '(', ')'),
    });
    const literal = fc.oneof(
      content.map((text) => `'${text.replaceAll("'", "''")}'`),
      content.map((text) => `E'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`),
      content.map((text) => `$q$${text.replaceAll('$', '')}$q$`),
      content.map((text) => `"a${text.replaceAll('"', '""')}"`),
      content.map((text) => `1 /*${text.replaceAll('*', ' ').replaceAll('/', ' ')}*/`).map((text) => `${text} + 1`),
    );
    const statement = fc.oneof(
      fc.array(literal, { minLength: 1, maxLength: 4 }).map((parts) => `SELECT ${parts.join(', ')}`),
      literal.map((text) => `CREATE RULE r AS ON INSERT TO t DO (SELECT ${text}; SELECT 1)`),
      literal.map(
        (text) => `CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN ${text} END; SELECT 2; END`,
      ),
    );
    const gap = fc.constantFrom(';', ' ; ', ';\n', "; -- it's; \n", ';/* ; \' " $$ */', ';;');
    fc.assert(
      fc.property(fc.array(fc.tuple(statement, gap), { minLength: 1, maxLength: 5 }), (parts) => {
        const sql = parts.flat().join('');
        expect(splitStatements(sql)).toEqual(parts.map(([text]) => text));
        expect(statementsOfTheServer(sql)).toEqual(parts.map(([text]) => text));
      }),
      { numRuns: 300 },
    );
  });

  test('tokens cover any text without gaps, or say what has no end', () => {
    const text = fc.string({
      unit: fc.constantFrom("'", '"', '$', ';', '\\', '-', '/', '*', '\n', ' ', 'e', 'E', '1', 'é', '🐘', '(', ')'),
    });
    fc.assert(
      fc.property(text, (sql) => {
        let position = 0;
        try {
          for (const { start, end } of tokens(sql)) {
            expect(start).toBe(position);
            expect(end).toBeGreaterThan(start);
            position = end;
          }
        } catch (error) {
          expect(error).toMatchObject({ code: 'sql_unterminated' });
          return;
        }
        expect(position).toBe(sql.length);
      }),
      { numRuns: 2000 },
    );
  });

  test('a string of 40 million characters is no trouble', () => {
    const long = `'${'x'.repeat(20_000_000)}${"''".repeat(10_000_000)}'`;
    expect(splitStatements(`SELECT ${long}; SELECT E${long}; SELECT 1`)).toHaveLength(3);
  });

  test.each([
    ["SELECT 'a", 'string'],
    ["\n\nSELECT E'a\\'", 'line 3'],
    ['SELECT "a', 'quoted name'],
    ['SELECT $a$ $b$', 'dollar-quoted'],
    ['SELECT /* /* */ 1', 'comment'],
  ])('%j is refused', (sql, words) => {
    expect(() => splitStatements(sql)).toThrow(
      expect.objectContaining({ code: 'sql_unterminated', message: expect.stringContaining(words) }),
    );
  });
});

describe('reading scripts', () => {
  test('takes the rows of COPY FROM STDIN, whatever they look like', () => {
    const script = [
      'SET a = 1;',
      'COPY public.t (a, "b") FROM stdin; -- rows',
      "it's;\t$$ -- /*",
      '\\N\t\\.x',
      '\\.',
      "COPY t FROM '/file';",
      'COPY (SELECT 1 FROM stdin) TO STDOUT;',
      'copy t from stdin with (format csv);',
      '\\.',
      'SELECT 2',
    ].join('\n');
    expect(readScript(script).map(({ sql, copyData }) => [sql, copyData])).toEqual([
      ['SET a = 1', undefined],
      ['COPY public.t (a, "b") FROM stdin', "it's;\t$$ -- /*\n\\N\t\\.x\n"],
      ["COPY t FROM '/file'", undefined],
      ['COPY (SELECT 1 FROM stdin) TO STDOUT', undefined],
      ['copy t from stdin with (format csv)', ''],
      ['SELECT 2', undefined],
    ]);
    expect(() => splitStatements(script)).toThrow(expect.objectContaining({ code: 'copy_data_refused' }));
  });

  test('refuses psql commands, or passes over those on their own line', () => {
    const script = "\\restrict it's\nSELECT '\n\\connect x\n';\n\\unrestrict it's";
    expect(() => readScript(script)).toThrow(
      expect.objectContaining({ code: 'meta_command_refused', message: expect.stringContaining('Line 1') }),
    );
    expect(readScript(script, { metaCommands: 'skip' }).map(({ sql }) => sql)).toEqual(["SELECT '\n\\connect x\n'"]);
    expect(() => readScript('SELECT 1 \\gexec', { metaCommands: 'skip' })).toThrow(
      expect.objectContaining({ code: 'meta_command_refused' }),
    );
  });
});
