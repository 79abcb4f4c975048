import type pg from 'pg';
import type { DumpedSchema } from '../../postgres/pg-dump/dump-schema.ts';
import type { SchemaDump, SchemaEntry } from '../../postgres/pg-dump/schema-dump.ts';
import type { ExportedType } from '../manifest.ts';
import { selectEntries } from '../restore/select-entries.ts';
import { type BackupSelection, type ChosenRelations, chooseRelations } from './choose.ts';

type Name = { schema: string; name: string };

/** What a backup holds. The functions speak of relations by what the catalog says of them. */
export interface Contents {
  /** null where the definitions are dumped beside the rows, whole; what is not backed up has no entries. */
  schema: { dump: SchemaDump; pgDumpVersion: string | null } | null;
  hasRows(oid: number): boolean;
  hasPosition(sequence: Name): boolean;
  isFilled(materializedView: { oid: number }): boolean;
  largeObjects: boolean;
  warnings: string[];
}

const PG_CLASS = 1259;
const NO_DEFINITIONS = { dump: { preamble: '', entries: [] }, pgDumpVersion: null };

const keyOf = ({ schema, name }: Name): string => JSON.stringify([schema, name]);
const all = (): boolean => true;
const none = (): boolean => false;

/**
 * Decides what a backup holds, by its type and its patterns. Definitions are chosen from a whole dump: pg_dump's own options
 * (`--table`, `--schema`) would leave out what the chosen tables need.
 *
 * @param client - the snapshot's holder
 * @param dump - dumps the whole schema of the snapshot
 * @throws OperationError as {@link chooseRelations}, and what `dump` throws
 */
export async function decideContents(
  client: pg.Client,
  { backupType, selection }: { backupType: ExportedType; selection: BackupSelection | null },
  dump: () => Promise<DumpedSchema>,
): Promise<Contents> {
  const chosen = selection && (await chooseRelations(client, selection));
  const contents = !chosen ? ofTheWhole(backupType) : backupType === 'data' ? rowsOf(chosen) : null;
  if (contents) return backupType === 'schema' ? { ...contents, ...definitionsOnly(await dump()) } : contents;
  const { pgDumpVersion, preamble, entries } = await dump();
  const selected = selectDefinitions({ preamble, entries }, chosen as ChosenRelations);
  return { ...selected, schema: { ...selected.schema, pgDumpVersion }, ...(backupType === 'schema' ? NO_ROWS : {}) };
}

const NO_ROWS = { hasRows: none, hasPosition: none, isFilled: none, largeObjects: false } as const;

function definitionsOnly({
  pgDumpVersion,
  preamble,
  entries,
}: DumpedSchema): Pick<Contents, 'schema'> & typeof NO_ROWS {
  return { schema: { dump: { preamble, entries }, pgDumpVersion }, ...NO_ROWS };
}

function ofTheWhole(backupType: ExportedType): Contents {
  return {
    schema: backupType === 'data' ? NO_DEFINITIONS : null,
    hasRows: all,
    hasPosition: all,
    isFilled: all,
    largeObjects: true,
    warnings: [],
  };
}

/** Which large objects the chosen tables refer to is known to nobody. */
const WITHOUT_LARGE_OBJECTS = { largeObjects: false } as const;

function rowsOf({ isChosen, sequences, warnings }: ChosenRelations): Contents {
  const positions = new Set(sequences.map(keyOf));
  return {
    schema: NO_DEFINITIONS,
    hasRows: isChosen,
    hasPosition: (sequence) => positions.has(keyOf(sequence)),
    isFilled: ({ oid }) => isChosen(oid),
    ...WITHOUT_LARGE_OBJECTS,
    warnings,
  };
}

function selectDefinitions(whole: SchemaDump, chosen: ChosenRelations): Contents & { schema: { dump: SchemaDump } } {
  const { schemas, tables, extensions, excluded } = chosen;
  const selection = { schemas: schemas ?? [], tables, extensions, excluded, everything: schemas === null };
  const { entries, wanted, warnings } = selectEntries(whole, selection);
  const namesOf = (type: string) => entries.filter((entry) => entry.type === type);
  const relations = new Set([...wanted].filter(({ class_id }) => class_id === PG_CLASS).map(({ oid }) => oid));
  const positions = new Set(namesOf('SEQUENCE').map(sequenceKey));
  const present = new Set(namesOf('EXTENSION').map(({ name }) => name));
  return {
    schema: { dump: { preamble: whole.preamble, entries }, pgDumpVersion: null },
    hasRows: (oid) => {
      const extension = chosen.extensionOf(oid);
      return extension === null ? relations.has(oid) : chosen.isChosen(oid) && present.has(extension);
    },
    hasPosition: (sequence) => positions.has(keyOf(sequence)),
    isFilled: ({ oid }) => relations.has(oid),
    ...WITHOUT_LARGE_OBJECTS,
    warnings: [...chosen.warnings, ...warnings],
  };
}

const sequenceKey = ({ schema, name }: SchemaEntry): string => keyOf({ schema: schema ?? '', name });
