import { dynamodbClient, lambdaClient, s3Client } from '../shared/aws/clients.ts';
import { downloadKey } from '../shared/backup/download/download-key.ts';
import { listObjects } from '../shared/backup/download/list-objects.ts';
import { signAddress } from '../shared/backup/download/presign.ts';
import { readEnvironment } from '../shared/configuration/environment.ts';
import { loadConfiguration } from '../shared/configuration/load.ts';
import { acceptedJob } from '../shared/http/accepted.ts';
import { createApiHandler } from '../shared/http/api-handler.ts';
import type { DownloadEvent } from '../shared/jobs/download-job.ts';
import { functionStarter } from '../shared/jobs/start.ts';
import { assertDownloadable, findDownload, startDownload } from '../shared/jobs/start-download.ts';
import { createBackupCatalog } from '../shared/state/backups.ts';
import { openTable } from '../shared/state/table.ts';

const environment = readEnvironment([
  'stateTable',
  'backupBucket',
  'backupKeyArn',
  'downloadBucket',
  'downloadFunctionArn',
]);
const configuration = loadConfiguration();
const table = openTable(dynamodbClient(), environment.stateTable);
const backups = createBackupCatalog(table);
const store = { s3: s3Client(), bucket: environment.backupBucket, keyArn: environment.backupKeyArn };
const downloads = { s3: s3Client(), bucket: environment.downloadBucket };
const startFunction = functionStarter<DownloadEvent>(lambdaClient(), environment.downloadFunctionArn);
const seconds = configuration.downloads.address_minutes * 60;

/** A manifest is read before API Gateway gives up waiting. */
const READING_MS = 20_000;

/** The routes of downloads, apart from those of backups: their role may read what it signs addresses of. */
export const handler = createApiHandler('downloads-api', {
  makeDownload: async (request) => {
    const { params, query, caller } = request;
    const { database } = await backups.get(params.id);
    const wanted = { database, backupId: params.id, format: query.format, requestedBy: caller.sub };
    const { job } = await startDownload({ table, startFunction }, wanted);
    return acceptedJob(request, { job, replayed: false });
  },
  getDownload: async (request) => {
    const { params, query } = request;
    const { database } = await backups.get(params.id);
    await assertDownloadable(table, database, params.id);
    const { format, limit, cursor } = query;
    const backup = { database, backupId: params.id };
    if (format === 'objects') {
      const signal = AbortSignal.timeout(READING_MS);
      return { status: 200, body: await listObjects(store, backup, { limit, cursor, seconds, signal }) };
    }
    const { job, file } = await findDownload(table, { ...backup, format });
    if (!file) return acceptedJob(request, { job, replayed: false });
    const key = downloadKey({ ...backup, jobId: job.id, format });
    // An address does not outlive its file.
    const left = Math.floor((Date.parse(file.expires_at) - Date.now()) / 1000);
    return {
      status: 200,
      body: { ...file, ...(await signAddress(downloads, key, Math.max(1, Math.min(seconds, left)))) },
    };
  },
});
