import { type ColumnFacts, factsOfType } from '../../../shared/masking/column.ts';
import { roomOf } from '../../../shared/masking/rules/define-rule.ts';
import { type Mask, makeMask, maskSchema } from '../../../shared/masking/rules/registry.ts';

export const KEY = Buffer.alloc(32, 7);

/** Facts of a column by its type, such as `varchar(20)` or `numeric(5,2)`. */
export function columnOf(type: string, more: Partial<ColumnFacts> = {}): ColumnFacts {
  const [, name = '', first, second] = /^(\w+)(?:\((-?\d+)(?:,(-?\d+))?\))?$/.exec(type) ?? [];
  const modifier =
    first === undefined
      ? -1
      : 4 + (name === 'numeric' ? (Number(first) << 16) | (Number(second ?? 0) & 0x7ff) : Number(first));
  const facts = factsOfType(
    { name, modifier, schema: 'pg_catalog' },
    { ignoresCase: false, isKey: false, isNullable: true },
  );
  return { ...facts, ...more };
}

export const parseMask = (mask: unknown): Mask => maskSchema.parse(mask);

/** A function that masks single values as text; null: NULL. */
export function masker(mask: unknown, type: string, key: Buffer = KEY): (value: string) => string | null {
  const write = makeMask(parseMask(mask), columnOf(type), key);
  return (value) => {
    const source = Buffer.from(`<${value}>`);
    const out = Buffer.alloc(roomOf(source.length) + 1, 0xee);
    const end = write(source, 1, source.length - 1, out, 1);
    return end < 0 ? null : out.toString('utf8', 1, end);
  };
}
