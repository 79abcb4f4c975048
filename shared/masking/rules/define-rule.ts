import type * as z from 'zod';
import type { ColumnFacts, TypeKind } from '../column.ts';
import type { Prf } from '../prf.ts';

/**
 * Writes what stands for the value from `from` to `to` of `source` into `out` at `at`. Both are plain text without COPY's escapes;
 * `out` has room for {@link roomOf} of the value.
 *
 * @returns where it ends; -1 for NULL
 */
export type FieldMask = (source: Uint8Array, from: number, to: number, out: Uint8Array, at: number) => number;

/** Bytes that a mask may write for a value of so many. */
export const roomOf = (bytes: number): number => bytes + ROOM;
const ROOM = 2048;

/** The keyed functions of one rule, each for a purpose of its own. */
export type PrfOf = (purpose: string) => Prf;

/** One way of masking: what there is to know of it, once. */
export interface RuleDefinition<Options extends z.ZodObject = z.ZodObject> {
  readonly name: string;
  readonly summary: string;
  /** Beside `rule` itself. */
  readonly options: Options;
  readonly serves: readonly TypeKind[];
  /** Whether different values stay different in such a column. */
  keepsDistinct(options: z.output<Options>, column: ColumnFacts): boolean;
  /** Why it cannot serve a column of a type that it serves; null: it can. */
  refusal?(options: z.output<Options>, column: ColumnFacts): string | null;
  /** Absent for a rule that looks at several rows at a time. */
  make?(options: z.output<Options>, column: ColumnFacts, prf: PrfOf): FieldMask;
}

/** Keeps the exact type of a rule's options. */
export function defineRule<const Name extends string, Options extends z.ZodObject>(
  rule: RuleDefinition<Options> & { readonly name: Name },
): RuleDefinition<Options> & { readonly name: Name } {
  return rule;
}

export const ALL_KINDS = [
  'text',
  'integer',
  'decimal',
  'float',
  'date',
  'timestamp',
  'uuid',
  'bytes',
  'json',
  'other',
] as const satisfies readonly TypeKind[];

/** Why a column is too short; null: it is not. */
export function tooShort({ maxCharacters }: ColumnFacts, least: number): string | null {
  if (maxCharacters === null || maxCharacters >= least) return null;
  return `needs room for ${least} characters, the column has ${maxCharacters}`;
}

/** Copies ASCII text. @returns where it ends */
export function writeText(text: Uint8Array, out: Uint8Array, at: number): number {
  for (let index = 0; index < text.length; index++) out[at + index] = text[index] as number;
  return at + text.length;
}
