import type { RestoreMode } from '../../contract/schemas/restore.ts';

/** What becomes of what a restore builds: as asked for, or nothing, as it was only to see that the backup can be restored (`drill`). */
export type PlannedMode = RestoreMode | 'drill';
