import type { ColumnFacts, TypeKind } from '../column.ts';
import type { FieldMask } from '../rules/define-rule.ts';
import { inOwnMemory, type ValueMask } from './value-mask.ts';

/** Makes JSON text of what stands for a value of a document; null: `null` stands for it. */
export interface ScalarMask {
  /** Stands for every value, of whatever kind. */
  constant: Uint8Array | null;
  /** @param value - the text of a string, without quotes and escapes; the answer is text as well */
  string: (value: Uint8Array) => Uint8Array | null;
  /** @param value - as it stands in the document */
  number: (value: Uint8Array) => { masked: Uint8Array; isNumber: boolean } | null;
}

const factsOf = (kind: TypeKind): ColumnFacts => ({
  kind,
  maxCharacters: null,
  isPadded: false,
  ignoresCase: false,
  largest: null,
  wholeDigits: null,
  isKey: false,
  isNullable: true,
});

const INTEGER = /^(?:0|-?[1-9]\d*)$/;
const DECIMAL = /^-?\d+(?:\.\d+)?$/;
const DATE = /^\d{4,}-\d\d-\d\d/;

/**
 * How a rule works on values of JSON, which have no types to speak of: text as text, numbers as integers or decimals where it serves
 * these, otherwise as text, dates by their form (ISO 8601). What is of no kind that the rule serves becomes null, so that nothing
 * stays as it was.
 */
export function scalarMask(
  serves: readonly TypeKind[],
  constant: Uint8Array | null,
  make: (facts: ColumnFacts) => FieldMask,
): ScalarMask {
  const maskOf = (kind: TypeKind): ValueMask | null =>
    constant === null && serves.includes(kind) ? inOwnMemory(make(factsOf(kind))) : null;
  const [text, timestamp, integer, decimal, float] = (
    ['text', 'timestamp', 'integer', 'decimal', 'float'] as const
  ).map(maskOf);
  const apply = (mask: ValueMask | null | undefined, value: Uint8Array) => mask?.(value, 0, value.length) ?? null;
  const written = (value: Uint8Array): string => Buffer.from(value).toString('latin1');
  return {
    constant,
    string(value) {
      if (text) return apply(text, value);
      if (timestamp) return DATE.test(written(value)) ? apply(timestamp, value) : null;
      return DECIMAL.test(written(value)) ? apply(decimal, value) : null;
    },
    number(value) {
      const form = written(value);
      const mask = (INTEGER.test(form) && integer) || (DECIMAL.test(form) && decimal) || float;
      const masked = apply(mask || text, value);
      return masked && { masked, isNumber: Boolean(mask) };
    },
  };
}
