import type pg from 'pg';
import * as z from 'zod';
import type { BackupSettings } from '../../configuration/runtime.ts';
import { OperationError } from '../../errors.ts';
import { freeConnectionsSql } from './connections.sql.ts';

/** Beside those of the lanes: a holder on each track and its successor, and the one that plans, dumps and completes. */
const OTHER_CONNECTIONS = 5;

const rowSchema = z.object({
  free: z.number(),
  free_in_database: z.number().nullable(),
  free_for_role: z.number().nullable(),
});

/**
 * How many more connections the server has for this login.
 *
 * @param application - begins the name of the sessions that do not count
 */
export async function countFreeConnections(client: pg.Client, application: string): Promise<number> {
  const { free, free_in_database, free_for_role } = rowSchema.parse(
    (await client.query(freeConnectionsSql, [application])).rows[0],
  );
  return Math.min(free, free_in_database ?? free, free_for_role ?? free);
}

/**
 * Divides the free connections that a distributed backup may take among its lanes.
 *
 * @param tasks - how many there are; more lanes than tasks are no use
 * @returns fewer lanes, or fewer connections of each, than the settings allow, with a warning where the server is the reason
 * @throws OperationError `too_few_connections`
 */
export function laneConnections(
  free: number,
  settings: Pick<BackupSettings, 'lanes' | 'connections' | 'connection_share'>,
  tasks: number,
): { lanes: number; connections: number; warnings: string[] } {
  const forLanes = Math.floor(free * settings.connection_share) - OTHER_CONNECTIONS;
  if (forLanes < 1) {
    throw new OperationError(
      'too_few_connections',
      `The server has ${free} free connections; a share of ${settings.connection_share} of them is too few for a backup of this size`,
      'Raise max_connections or backups.connection_share, or back up when fewer sessions are open.',
    );
  }
  const wanted = Math.max(1, Math.min(settings.lanes, tasks));
  const connections = Math.min(settings.connections, forLanes);
  const lanes = Math.min(wanted, Math.floor(forLanes / connections));
  const isLess = lanes < wanted || connections < settings.connections;
  const warning = `The backup used ${lanes} lanes of ${connections} connections in place of ${wanted} of ${settings.connections}: the server had ${free} free connections`;
  return { lanes, connections, warnings: isLess ? [warning] : [] };
}
