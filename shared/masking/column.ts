/** What a rule is chosen by: types whose values it can make. Domains count as what they are made of. */
export type TypeKind =
  | 'text'
  | 'integer'
  | 'decimal'
  | 'float'
  | 'date'
  | 'timestamp'
  | 'uuid'
  | 'bytes'
  | 'json'
  | 'other';

/** What a rule must keep to in a column. Plain data, so that it can be stored. */
export interface ColumnFacts {
  kind: TypeKind;
  /** Of `varchar(n)` and `char(n)`; null: any length. */
  maxCharacters: number | null;
  /** `char(n)`: blanks at the end mean nothing. */
  isPadded: boolean;
  /** Values that differ in case alone are the same to its unique keys: `citext`, or a collation that is not deterministic. */
  ignoresCase: boolean;
  /** Of integers, the largest value in decimal digits. */
  largest: string | null;
  /** Of `numeric(precision, scale)`, digits before the point; null: any number. */
  wholeDigits: number | null;
  /** Different values must stay different: it is part of a key. */
  isKey: boolean;
  isNullable: boolean;
  /** Of an array: its elements. A rule that does not serve arrays as they are serves these. */
  element?: ColumnFacts | undefined;
}

const KINDS: Readonly<Record<string, TypeKind>> = {
  text: 'text',
  varchar: 'text',
  bpchar: 'text',
  name: 'text',
  citext: 'text',
  int2: 'integer',
  int4: 'integer',
  int8: 'integer',
  numeric: 'decimal',
  float4: 'float',
  float8: 'float',
  date: 'date',
  timestamp: 'timestamp',
  timestamptz: 'timestamp',
  uuid: 'uuid',
  bytea: 'bytes',
  json: 'json',
  jsonb: 'json',
};

const LARGEST: Readonly<Record<string, string>> = {
  int2: '32767',
  int4: '2147483647',
  int8: '9223372036854775807',
};

/** PostgreSQL adds the length of a header to the modifier of these types. */
const HEADER = 4;
/** NAMEDATALEN - 1. */
const NAME_LENGTH = 63;

interface BaseType {
  name: string;
  modifier: number;
  schema: string;
}

/**
 * @param type - name of the base type in `pg_type`, and its modifier (-1: none)
 * @param element - of an array, the base type of its elements
 */
export function factsOfType(
  { name, modifier, schema, element }: BaseType & { element?: BaseType | null },
  rest: Pick<ColumnFacts, 'ignoresCase' | 'isKey' | 'isNullable'>,
): ColumnFacts {
  const isBuiltIn = schema === 'pg_catalog' || name === 'citext';
  const kind = (isBuiltIn && KINDS[name]) || 'other';
  const isLimited = (name === 'varchar' || name === 'bpchar') && modifier >= HEADER;
  const isNumeric = name === 'numeric' && modifier >= HEADER;
  const precision = ((modifier - HEADER) >> 16) & 0xffff;
  // Since PostgreSQL 15 the scale has 11 bits and may be negative.
  const scale = (((modifier - HEADER) & 0x7ff) ^ 1024) - 1024;
  return {
    kind,
    maxCharacters: isLimited ? modifier - HEADER : name === 'name' ? NAME_LENGTH : null,
    isPadded: name === 'bpchar',
    largest: (kind === 'integer' && LARGEST[name]) || null,
    wholeDigits: isNumeric ? precision - scale : null,
    ...rest,
    ignoresCase: rest.ignoresCase || name === 'citext',
    ...(element ? { element: factsOfType(element, rest) } : {}),
  };
}
