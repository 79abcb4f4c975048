import type { ManagedDatabase } from '../system.ts';
import { shownAddress, wholeAddress } from './export-url.ts';
import { placeOf } from './place.ts';
import { probe } from './probe.ts';
import { identify } from './registry.ts';
import type { DatabaseAddress } from './settings.ts';

/** A database that `--database-url` names, and that can be logged in to. */
export interface GivenDatabase {
  /** Its address without the password. */
  shown: string;
  /** Its address for psql, with everything that psql would have to find out. */
  whole: string;
  /** How long a connection may take to come about; null: not said. Milliseconds. */
  connectTimeoutMs: number | null;
  /** As the system manages it, under the id of its state in the folder, which the caller has locked; tells what was found. */
  manage(stateFolder: string, note: (text: string) => void): ManagedDatabase;
}

/**
 * Logs in to a database once.
 *
 * @throws DatabaseUrlError, or the signal's reason
 */
export async function openDatabase(address: DatabaseAddress, signal: AbortSignal): Promise<GivenDatabase> {
  const facts = await probe(address, signal);
  const secured = facts.isEncrypted ? `over TLS (sslmode=${address.tls.mode})` : 'without TLS';
  const { host, port, database: name, user, password, certificate, tls } = address;
  const found = `Reached database "${name}" as user "${user}": ${placeOf(address)} runs PostgreSQL ${facts.version}, ${secured}`;
  return {
    shown: shownAddress(address),
    whole: wholeAddress(address),
    connectTimeoutMs: address.connectTimeoutMs,
    manage(stateFolder, tell) {
      const { id, notes } = identify(stateFolder, address, facts);
      for (const each of [...address.notes, found, ...notes]) tell(each);
      return { id, host, port, name, user, password, tls, ...(certificate ? { certificate } : {}) };
    },
  };
}
