import { parseArgs } from 'node:util';
import { askForJob, followJob } from './follow-job.ts';

const usage = `npm run rebuild-catalog [-- --database <id>]

Lists the backups in the bucket again, as after a loss of the State table: of every database that has backups there, or of one.
API is the address of the API, such as https://abc.execute-api.eu-central-1.amazonaws.com/v1/api/database, and ADMIN the token of
an administrator. Of a system on this machine:

  . .local/tokens && npm run rebuild-catalog`;

try {
  const { database, help } = parseArgs({
    options: { database: { type: 'string' }, help: { type: 'boolean' } },
  }).values;
  const { API: address, ADMIN: token } = process.env;
  if (help || !address || !token) throw new Error(usage);
  const api = { address, token };
  const query = database === undefined ? '?all=true' : `?database=${encodeURIComponent(database)}`;
  const { id } = await askForJob(api, 'POST', `/backups/rebuild-catalog${query}`);
  console.log(`Job ${id} lists the backups in the bucket`);
  const { status, warnings, error } = await followJob(api, id);
  for (const line of warnings) console.log(line);
  if (error) console.error(`${error.message}. ${error.next_step}`);
  console.log(`The job has ${status}`);
  process.exitCode = status === 'succeeded' ? 0 : 1;
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
}
