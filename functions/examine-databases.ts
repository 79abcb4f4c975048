import type { DoctorReport } from '../shared/contract/schemas/doctor.ts';
import { createLogger } from '../shared/http/log.ts';
import { configuration, examineAndKeep } from './doctor/dependencies.ts';

const logger = createLogger('examine-databases');

/** The longest time of one database. */
const DATABASE_MS = 60_000;

/**
 * Examines every configured database; a rule calls it after each deployment and each day. One database that fails does not hold up the
 * others, and what was found missing is no failure of this function: health tells of it.
 *
 * @throws Error naming the databases whose report could not be kept
 */
export async function handler(): Promise<Record<string, DoctorReport['status']>> {
  const found: Record<string, DoctorReport['status']> = {};
  const failed: string[] = [];
  for (const database of configuration.databases) {
    try {
      const { status, findings } = await examineAndKeep(database, AbortSignal.timeout(DATABASE_MS));
      found[database.id] = status;
      logger.info('A database was examined', {
        database: database.id,
        status,
        findings: findings.map(({ check }) => check),
      });
    } catch (error) {
      failed.push(database.id);
      logger.error('A database could not be examined', { database: database.id, error });
    }
  }
  if (failed.length > 0) throw new Error(`Not examined: ${failed.join(', ')}; the log says why`);
  return found;
}
