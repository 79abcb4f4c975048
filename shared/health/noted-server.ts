import type { Database } from '../configuration/runtime.ts';
import type { DescribedCapacity, DescribedStorage, ServerDescription } from '../platforms/managed/describe.ts';
import type { ServerFinding } from '../platforms/platform.ts';
import { platformOf } from '../platforms/platforms.ts';

/** What is remembered of how AWS keeps a server. */
export interface NotedServer {
  id: string;
  /** Instance that metrics are read of: the writer of a cluster, where the address leads to it. */
  writer: string | null;
  storage: DescribedStorage | null;
  capacity: DescribedCapacity | null;
  /** What of the configuration does not fit it. */
  findings: ServerFinding[];
}

/** Keeps what is needed of a description until the next one; null where there is none. */
export function noteServer(database: Database, server: ServerDescription | null): NotedServer | null {
  if (!server) return null;
  const writer = server.instances.find(({ isWriter }) => isWriter) ?? null;
  return {
    id: server.id,
    writer: writer?.id ?? null,
    storage: writer?.storage ?? null,
    capacity: server.capacity,
    findings: platformOf(database).endpoints.findings(database, server),
  };
}
