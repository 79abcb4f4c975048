import { DeleteCommand, ScanCommand } from '@aws-sdk/lib-dynamodb';
import type { Manifest } from '../../../shared/backup/manifest.ts';
import { succeedBackup } from '../../../shared/jobs/end.ts';
import { registerBackup } from '../../../shared/jobs/start.ts';
import { newBackupId } from '../../../shared/state/ids.ts';
import { createJobStore } from '../../../shared/state/jobs.ts';
import { type StateTable, stateKeys } from '../../../shared/state/table.ts';
import type { ScratchDatabase } from '../../support/servers.ts';
import { type BackupHarness, DATABASE_ID } from '../support/harness.ts';

/** Takes a full backup and records it as its job does. */
export async function backUpAndRecord(
  harness: BackupHarness,
  table: StateTable,
  source: ScratchDatabase,
): Promise<Manifest> {
  const request = { database: DATABASE_ID, requestedBy: 'alice', backupType: 'full', customName: null } as const;
  const { job } = await registerBackup(table, request);
  await createJobStore(table).start(job.id);
  const manifest = await harness.backUp(source.target(), { id: job.backup_id ?? newBackupId() });
  const { tables, rows, bytes, stored_bytes, objects } = manifest.totals;
  const facts = {
    snapshot_at: new Date(manifest.snapshot.taken_at).toISOString(),
    ended_at: manifest.ended_at,
    expires_at: null,
    server_version: manifest.server_version,
    ...{ tables, rows, bytes, stored_bytes, objects },
  };
  await succeedBackup(table, { jobId: job.id, backupId: manifest.id, facts, warnings: [] });
  return manifest;
}

/** Everything that the table holds is gone, as after its loss. */
export async function emptyTable({ documents, name }: StateTable): Promise<void> {
  const { Items = [] } = await documents.send(new ScanCommand({ TableName: name }));
  for (const item of Items) {
    const Key = { [stateKeys.partition]: item[stateKeys.partition], [stateKeys.sort]: item[stateKeys.sort] };
    await documents.send(new DeleteCommand({ TableName: name, Key }));
  }
}
