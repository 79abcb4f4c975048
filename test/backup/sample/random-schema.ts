import fc from 'fast-check';

/** A table with rows that refer to each other; row number n has the number n as its key, or as a part of it. */
export interface RandomTable {
  kind: 'int' | 'composite' | 'text' | 'partitioned';
  rows: number;
  references: RandomReference[];
}

export interface RandomReference {
  /** Place of the table it refers to. */
  to: number;
  notNull: boolean;
  full: boolean;
  /** Of each row, the number of the row that it refers to; null: none. */
  rows: (number | null)[];
}

const KEYS = {
  int: { columns: ['id'], types: ['int'], value: (n: number) => [`${n}`] },
  composite: {
    columns: ['a', '"B"'],
    types: ['bigint', 'varchar(9)'],
    value: (n: number) => [`${n % 3}`, `'x${n}'`],
  },
  text: { columns: ['code'], types: ['text'], value: (n: number) => [`'c\\ ${n}'`] },
  partitioned: { columns: ['id', 'part'], types: ['int', 'smallint'], value: (n: number) => [`${n}`, `${n % 2}`] },
} as const;

const referenceOf = (tables: number, rows: number) =>
  fc.record({
    to: fc.nat(tables - 1),
    notNull: fc.boolean(),
    full: fc.boolean(),
    picks: fc.array(fc.option(fc.nat(10_000), { freq: 4 }), { minLength: rows, maxLength: rows }),
  });

/** Up to five tables with foreign keys in any direction: trees, circles, several to the same table, composite ones. */
export const randomTables: fc.Arbitrary<RandomTable[]> = fc
  .array(
    fc.record({
      kind: fc.constantFrom<RandomTable['kind']>('int', 'composite', 'text', 'partitioned'),
      rows: fc.integer({ min: 0, max: 25 }),
    }),
    {
      minLength: 1,
      maxLength: 5,
    },
  )
  .chain((tables) =>
    fc
      .tuple(...tables.map(({ rows }) => fc.array(referenceOf(tables.length, rows), { maxLength: 3 })))
      .map((references) =>
        tables.map((table, index) => ({
          ...table,
          references: (references[index] ?? []).map(({ to, notNull, full, picks }) => {
            const there = tables[to]?.rows ?? 0;
            const strict = notNull && there > 0;
            const rows = picks.map((pick) => (there === 0 || (pick === null && !strict) ? null : (pick ?? 0) % there));
            return { to, notNull: strict, full, rows };
          }),
        })),
      ),
  );

export const tableName = (index: number): string => `t${index}`;

/** What makes the tables in a schema. The foreign keys come last, as circles need it; `n` is the number of the row. */
export function createSql(schema: string, tables: readonly RandomTable[]): string {
  const parts = tables.map(({ kind, rows, references }, index) => {
    const name = `${schema}.${tableName(index)}`;
    const { columns, types, value } = KEYS[kind];
    const own = columns.map((column, place) => `${column} ${types[place]}`);
    const foreign = references.flatMap(({ to, notNull }, number) =>
      KEYS[tables[to]?.kind ?? 'int'].types.map(
        (type, place) => `r${number}_${place} ${type}${notNull ? ' NOT NULL' : ''}`,
      ),
    );
    const list = ['n int', ...own, ...foreign, `PRIMARY KEY (${columns.join(', ')})`].join(', ');
    const partitions =
      kind === 'partitioned'
        ? `; CREATE TABLE ${name}_0 PARTITION OF ${name} FOR VALUES IN (0); CREATE TABLE ${name}_1 PARTITION OF ${name} FOR VALUES IN (1)`
        : '';
    const inserts = Array.from({ length: rows }, (_, n) => {
      const values = references.flatMap(({ to, rows: targets, full }, number) => {
        const { value: of, types: parentTypes } = KEYS[tables[to]?.kind ?? 'int'];
        const target = targets[n] ?? null;
        // Partly NULL where that is allowed.
        if (target === null)
          return parentTypes.map((_, place) => (!full && place > 0 && number % 2 === 0 ? of(0)[place] : 'NULL'));
        return of(target);
      });
      return `(${[n, ...value(n), ...values].join(', ')})`;
    });
    const insert = rows > 0 ? `; INSERT INTO ${name} VALUES ${inserts.join(', ')}` : '';
    return `CREATE TABLE ${name} (${list})${kind === 'partitioned' ? ' PARTITION BY LIST (part)' : ''}${partitions}${insert}`;
  });
  return [`CREATE SCHEMA ${schema}`, ...parts, ...foreignKeysSql(schema, tables)].join(';\n');
}

export function foreignKeysSql(schema: string, tables: readonly RandomTable[]): string[] {
  return tables.flatMap(({ references }, index) =>
    references.map(({ to, full }, number) => {
      const { columns } = KEYS[tables[to]?.kind ?? 'int'];
      const own = columns.map((_, place) => `r${number}_${place}`).join(', ');
      return `ALTER TABLE ${schema}.${tableName(index)} ADD FOREIGN KEY (${own}) REFERENCES ${schema}.${tableName(to)} (${columns.join(', ')})${full ? ' MATCH FULL' : ''} DEFERRABLE`;
    }),
  );
}
