import { MANIFEST } from '../layout.ts';
import type { Manifest, StoredChunk } from '../manifest.ts';
import type { StoredObject } from '../objects/object-store.ts';

/** An object that the manifest names, with what it must hold. */
export interface NamedObject {
  expected: StoredObject;
  /** Of COPY text, or of lines that nobody has counted (`rows` is null then); null for the definitions. */
  content: { rows: number | null; bytes: number } | null;
  /** Index of the table among the manifest's; null for the definitions and for large objects. */
  table: number | null;
}

/** Every object that a manifest names, always in the same order. */
export function namedObjects({ schema, tables, large_objects: large }: Manifest): NamedObject[] {
  const named = (chunk: StoredChunk, table: number | null): NamedObject => ({ expected: chunk, content: chunk, table });
  return [
    { expected: schema, content: null, table: null },
    ...tables.flatMap(({ chunks }, table) => chunks.map((chunk) => named(chunk, table))),
    ...large.chunks.map((chunk) => named(chunk, null)),
  ];
}

/** What in a manifest does not add up, in words: each of its counts is there twice. */
export function contradictionsOf({ tables, totals, large_objects: large, schema }: Manifest): string[] {
  const found: string[] = [];
  const compare = (what: string, said: number, counted: number): void => {
    if (said !== counted) found.push(`${MANIFEST} says ${what} ${said}, and names ${counted} in detail`);
  };
  const sum = <Key extends string>(items: readonly Record<Key, number>[], key: Key): number =>
    items.reduce((total, item) => total + item[key], 0);
  for (const { schema: of, name, rows, bytes, chunks } of tables) {
    compare(`the rows of ${of}.${name} are`, rows, sum(chunks, 'rows'));
    compare(`the bytes of ${of}.${name} are`, bytes, sum(chunks, 'bytes'));
  }
  const chunks = [...tables.flatMap((table) => table.chunks), ...large.chunks];
  compare('the tables are', totals.tables, tables.length);
  compare('all rows are', totals.rows, sum(tables, 'rows'));
  compare('all bytes are', totals.bytes, sum(chunks, 'bytes'));
  compare('the stored bytes are', totals.stored_bytes, sum([schema, ...chunks], 'stored_bytes'));
  // The manifest and the definitions are objects too.
  compare('the objects are', totals.objects, chunks.length + 2);
  return found;
}
