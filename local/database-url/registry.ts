import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { sampleDatabase } from '../sample/sample.ts';
import { serverOf } from './place.ts';
import type { ServerFacts } from './probe.ts';
import type { DatabaseAddress } from './settings.ts';

const entrySchema = z.strictObject({
  id: z.string(),
  /** The name on the server. */
  name: z.string(),
  /** Null: the login could not read it, and the address stands for the server. */
  system_identifier: z.string().nullable(),
  /** Where it was seen last. */
  server: z.string(),
});
const registrySchema = z.array(entrySchema);
type Entry = z.output<typeof entrySchema>;

/** A database's id, by which its backups, schedules and settings are kept. */
export interface KnownDatabase {
  id: string;
  /** What one should know about it, in sentences. */
  notes: string[];
}

/**
 * Gives a database the id that its state is kept by: always the same one for the same server and name, wherever the server is found,
 * and never that of another server's database. Ids are remembered in `databases.json` in the state folder, which the caller has locked.
 *
 * @throws Error when that file is damaged
 */
export function identify(
  stateFolder: string,
  address: DatabaseAddress,
  { systemIdentifier }: ServerFacts,
): KnownDatabase {
  const path = join(stateFolder, 'databases.json');
  const entries = readRegistry(path);
  const server = serverOf(address);
  const name = address.database;
  const known = entries.find((entry) => isSame(entry, { name, systemIdentifier, server }));
  const former = entries.find((entry) => entry !== known && entry.name === name && entry.server === server);
  const entry: Entry = {
    id: known?.id ?? freeId(stateFolder, name, entries),
    name,
    system_identifier: systemIdentifier,
    server,
  };
  // Where it was seen before now is another.
  const others = entries.filter((each) => each !== known);
  writeRegistry(path, [...others, entry]);
  return { id: entry.id, notes: notesOf({ entry, known, former, systemIdentifier }) };
}

function isSame(
  entry: Entry,
  { name, systemIdentifier, server }: { name: string; systemIdentifier: string | null; server: string },
): boolean {
  if (entry.name !== name || entry.system_identifier !== systemIdentifier) return false;
  return systemIdentifier !== null || entry.server === server;
}

function notesOf({
  entry: { id, name, server },
  known,
  former,
  systemIdentifier,
}: {
  entry: Entry;
  known: Entry | undefined;
  former: Entry | undefined;
  systemIdentifier: string | null;
}): string[] {
  const notes: string[] = [];
  if (known && known.server !== server)
    notes.push(`The server of the database "${name}" was at ${known.server} before: its state (${id}) goes on`);
  if (!known && former) {
    notes.push(
      former.system_identifier !== null && systemIdentifier !== null
        ? `${server} is another server than before: its database "${name}" is kept as ${id}, and the state of the former one stays under ${former.id}`
        : `Whether ${server} is the same server as before cannot be told: its database "${name}" is kept as ${id}, and the state so far stays under ${former.id}`,
    );
  } else if (!known && id !== slugOf(name)) {
    notes.push(`The database "${name}" is kept as ${id}, as ${slugOf(name)} stands for another`);
  }
  if (systemIdentifier === null) {
    notes.push(
      `This login may not read the server's system identifier, so its state is kept by the address ${server}: GRANT EXECUTE ON FUNCTION pg_catalog.pg_control_system() to it to have it kept by the server`,
    );
  }
  return notes;
}

function slugOf(name: string): string {
  const slug = name
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, '-')
    .replace(/^[^a-z]+/, '')
    .slice(0, 40);
  return slug || 'database';
}

/** An id that nothing is kept under yet: neither of the sample shop, nor of a start before ids were remembered. */
function freeId(stateFolder: string, name: string, entries: readonly Entry[]): string {
  const marker = 'first-backup-';
  const backedUp = existsSync(stateFolder)
    ? readdirSync(stateFolder)
        .filter((file) => file.startsWith(marker))
        .map((file) => file.slice(marker.length))
    : [];
  const taken = new Set([sampleDatabase, ...backedUp, ...entries.map(({ id }) => id)]);
  const slug = slugOf(name);
  if (!taken.has(slug)) return slug;
  let number = 2;
  while (taken.has(`${slug.slice(0, 36)}-${number}`)) number += 1;
  return `${slug.slice(0, 36)}-${number}`;
}

function readRegistry(path: string): Entry[] {
  if (!existsSync(path)) return [];
  try {
    return registrySchema.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch (cause) {
    throw new Error(
      `${path}, which says whose state is whose, is damaged. Correct it, or start with --fresh, which removes all local state`,
      { cause },
    );
  }
}

/** Whole or not at all. */
function writeRegistry(path: string, entries: readonly Entry[]): void {
  writeFileSync(`${path}.new`, `${JSON.stringify(entries, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}
