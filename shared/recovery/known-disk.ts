import type { GuardLimits } from '../changes/guard/decide.ts';
import { readWatch } from '../health/sample-store.ts';
import type { StateTable } from '../state/table.ts';

/**
 * The limits with the disk that the sampler knows of, so that a small disk is not filled by a limit for a large one.
 *
 * @throws the SDK's errors
 */
export async function withKnownDisk(table: StateTable, database: string, limits: GuardLimits): Promise<GuardLimits> {
  const { server, latest } = await readWatch(table, database);
  if (!server?.storage) return limits;
  const { allocatedBytes } = server.storage;
  return { ...limits, disk: { allocatedBytes, freeBytes: latest?.values.disk_free_bytes ?? null } };
}
