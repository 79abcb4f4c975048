import * as z from 'zod';
import { quoteQualified } from '../../../postgres/identifiers.ts';
import type { RestoreRecord } from '../restore-record.ts';
import type { Destination } from './destinations.ts';
import type { TableName } from './target.ts';

const PLACE = 'place ';

const placeSchema = z.object({
  schema: z.string(),
  name: z.string(),
  into: z.object({ schema: z.string(), name: z.string() }),
  /** Below it lie the table's chunks. */
  folder: z.string(),
});

const folderOf = (path: string): string => path.slice(0, path.lastIndexOf('/') + 1);

/** What a record says of where a table's rows go, before the first of them is loaded. */
export function placeItem({ table, into }: Destination): string {
  const { schema, name, chunks } = table;
  const place = {
    schema,
    name,
    into: { schema: into.schema, name: into.name },
    folder: folderOf(chunks[0]?.path ?? ''),
  };
  return `${PLACE}${JSON.stringify(place)}`;
}

function placesIn({ items }: RestoreRecord): z.output<typeof placeSchema>[] {
  return [...items]
    .filter((item) => item.startsWith(PLACE))
    .map((item) => placeSchema.parse(JSON.parse(item.slice(PLACE.length))));
}

/** Where the rows of each table go, by its quoted name. */
export function loadedPlaces(record: RestoreRecord): Map<string, TableName> {
  return new Map(placesIn(record).map(({ schema, name, into }) => [quoteQualified(schema, name), into]));
}

/** Below which paths the chunks lie that go into other relations than these. */
export function foldersBeside(record: RestoreRecord, relations: readonly TableName[]): string[] {
  const names = new Set(relations.map(({ schema, name }) => quoteQualified(schema, name)));
  return placesIn(record)
    .filter(({ into }) => !names.has(quoteQualified(into.schema, into.name)))
    .map(({ folder }) => folder);
}

/** The relations that have got rows, each once. */
export function filledPlaces(record: RestoreRecord): TableName[] {
  const folders = new Set(
    [...record.items].filter((item) => item.startsWith('chunk ')).map((item) => folderOf(item.slice('chunk '.length))),
  );
  const filled = placesIn(record).filter(({ folder }) => folders.has(folder));
  return [...new Map(filled.map(({ into }) => [quoteQualified(into.schema, into.name), into])).values()];
}
