/** An entry of a pg_dump archive's table of contents, field by field as pg_dump wrote it. */
export interface ArchiveEntry {
  dumpId: number;
  catalogOid: number;
  oid: number;
  tag: string;
  description: string;
  section: number;
  definition: string;
  dropStatement: string;
  schema: string | null;
  tablespace: string | null;
  accessMethod: string | null;
  /** `pg_class.relkind`, or '' where there is none or the archive is too old to tell. */
  relationKind: string;
  owner: string | null;
  dependencies: number[];
}

export interface Archive {
  serverVersion: string;
  pgDumpVersion: string;
  entries: ArchiveEntry[];
}

/** What cannot be read as an archive of pg_dump. */
export class ArchiveError extends Error {
  override readonly name = 'ArchiveError';
}

/** Values of `teSection` in PostgreSQL's src/bin/pg_dump/pg_backup.h. */
export const ARCHIVE_SECTIONS = { none: 1, preData: 2, data: 3, postData: 4 } as const;

const CUSTOM_FORMAT = 1;
/** Archive versions by what they brought; before 1.12 no supported server's pg_dump wrote them. */
const OLDEST_MINOR = 12;
const ACCESS_METHOD_SINCE = 14;
const COMPRESSION_BYTE_SINCE = 15;
const RELATION_KIND_SINCE = 16;

/**
 * Reads the table of contents of an archive in pg_dump's custom format that holds no data (`-Fc --schema-only`).
 *
 * The archive names each object's kind, section, dependencies and SQL in fields of their own. The text format only has
 * comments for them, which a function's body or an object's name can imitate.
 *
 * Layout: `ReadHead` and `ReadToc` of PostgreSQL's src/bin/pg_dump/pg_backup_archiver.c, versions 1.12 to 1.16. A later
 * minor version is tried as 1.16 and accepted only when it ends exactly where the contents do.
 *
 * @throws ArchiveError when the bytes are something else, are cut short, or hold text that is not UTF-8
 */
export function readArchive(bytes: Uint8Array): Archive {
  const reader = archiveReader(bytes);
  if (reader.ascii(5) !== 'PGDMP') throw new ArchiveError('pg_dump did not write an archive');
  const major = reader.byte();
  const minor = reader.byte();
  reader.byte(); // revision
  if (major !== 1 || minor < OLDEST_MINOR)
    throw new ArchiveError(`pg_dump wrote an archive of the unknown version ${major}.${minor}`);
  reader.integerSize = reader.byte();
  const offsetSize = reader.byte();
  if (reader.byte() !== CUSTOM_FORMAT)
    throw new ArchiveError('pg_dump wrote an archive that is not in the custom format');
  if (minor >= COMPRESSION_BYTE_SINCE) reader.byte();
  else reader.integer();
  for (let field = 0; field < 7; field += 1) reader.integer(); // time of creation
  reader.text(); // database
  const serverVersion = reader.text() ?? '';
  const pgDumpVersion = reader.text() ?? '';

  const count = reader.integer();
  const entries: ArchiveEntry[] = [];
  for (let index = 0; index < count; index += 1) {
    const dumpId = reader.integer();
    reader.integer(); // whether there is data
    const catalogOid = Number(reader.text());
    const oid = Number(reader.text());
    const tag = reader.text() ?? '';
    const description = reader.text() ?? '';
    const section = reader.integer();
    const definition = reader.text() ?? '';
    const dropStatement = reader.text() ?? '';
    reader.text(); // COPY statement
    const schema = reader.text();
    const tablespace = reader.text();
    const accessMethod = minor >= ACCESS_METHOD_SINCE ? reader.text() : null;
    const kind = minor >= RELATION_KIND_SINCE ? reader.integer() : 0;
    const owner = reader.text();
    reader.text(); // WITH OIDS
    const dependencies: number[] = [];
    for (let next = reader.text(); next !== null; next = reader.text()) dependencies.push(Number(next));
    reader.skip(1 + offsetSize); // place of the data
    if (section < ARCHIVE_SECTIONS.none || section > ARCHIVE_SECTIONS.postData || !Number.isInteger(oid)) {
      throw new ArchiveError(`pg_dump's archive (version ${major}.${minor}) cannot be understood at entry ${dumpId}`);
    }
    entries.push({
      dumpId,
      catalogOid,
      oid,
      tag,
      description,
      section,
      definition,
      dropStatement,
      tablespace,
      accessMethod,
      dependencies,
      schema: schema || null,
      owner: owner || null,
      relationKind: kind > 0 ? String.fromCharCode(kind) : '',
    });
  }
  if (!reader.ended) throw new ArchiveError(`pg_dump's archive (version ${major}.${minor}) goes on after its contents`);
  return { serverVersion, pgDumpVersion, entries };
}

function archiveReader(bytes: Uint8Array) {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  let position = 0;
  const take = (length: number): Uint8Array => {
    if (length > bytes.length - position) throw new ArchiveError("pg_dump's archive is cut short");
    position += length;
    return bytes.subarray(position - length, position);
  };
  const reader = {
    integerSize: 4,
    get ended(): boolean {
      return position === bytes.length;
    },
    skip: (length: number): void => void take(length),
    byte: (): number => take(1)[0] ?? 0,
    ascii: (length: number): string => String.fromCharCode(...take(length)),
    integer(): number {
      const negative = reader.byte() !== 0;
      const value = take(reader.integerSize).reduceRight((sum, digit) => sum * 256 + digit, 0);
      return negative ? -value : value;
    },
    text(): string | null {
      const length = reader.integer();
      if (length < 0) return null;
      const raw = take(length);
      try {
        return decoder.decode(raw);
      } catch {
        throw new ArchiveError('The schema holds text that is not valid UTF-8');
      }
    },
  };
  return reader;
}
