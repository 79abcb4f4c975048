import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { type Job, jobSchema } from '../shared/contract/schemas/job.ts';

const usage = `npm run rebuild-catalog [-- --database <id>]

Lists the backups in the bucket again, as after a loss of the State table: of every database that has backups there, or of one.
API is the address of the API, such as https://abc.execute-api.eu-central-1.amazonaws.com/v1/api/database, and ADMIN the token of
an administrator. Of a system on this machine:

  . .local/tokens && API=$API ADMIN=$ADMIN npm run rebuild-catalog`;

const POLL_MS = 2_000;
/** Answers in a row that may fail before the job is left to itself. */
const MAX_FAILURES = 15;
const REQUEST_MS = 30_000;
const ENDED: readonly Job['status'][] = ['succeeded', 'failed', 'cancelled'];

type Api = { address: string; token: string };

/** @throws Error with what the API said */
async function ask({ address, token }: Api, method: 'GET' | 'POST', path: string): Promise<Job> {
  const response = await fetch(address + path, {
    method,
    headers: { authorization: `Bearer ${token}` },
    signal: AbortSignal.timeout(REQUEST_MS),
  });
  const text = await response.text();
  if (response.ok) return jobSchema.parse(JSON.parse(text));
  const { detail, next_step } = problemIn(text);
  throw new Error(`${response.status}: ${detail ?? 'no answer of this API'}${next_step ? `. ${next_step}` : ''}`);
}

function problemIn(text: string): { detail?: string; next_step?: string } {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}

/** Follows a job until it has ended. @throws Error when it cannot be asked for again and again */
async function follow(api: Api, id: string): Promise<Job> {
  for (let failures = 0; ; ) {
    try {
      const job = await ask(api, 'GET', `/jobs/${id}`);
      if (ENDED.includes(job.status)) return job;
      failures = 0;
    } catch (error) {
      failures += 1;
      if (failures === MAX_FAILURES) throw error;
    }
    await wait(POLL_MS);
  }
}

try {
  const { database, help } = parseArgs({
    options: { database: { type: 'string' }, help: { type: 'boolean' } },
  }).values;
  const { API: address, ADMIN: token } = process.env;
  if (help || !address || !token) throw new Error(usage);
  const api = { address: address.replace(/\/+$/, ''), token };
  const query = database === undefined ? '?all=true' : `?database=${encodeURIComponent(database)}`;
  const { id } = await ask(api, 'POST', `/backups/rebuild-catalog${query}`);
  console.log(`Job ${id} lists the backups in the bucket`);
  const { status, warnings, error } = await follow(api, id);
  for (const line of warnings) console.log(line);
  if (error) console.error(`${error.message}. ${error.next_step}`);
  console.log(`The job has ${status}`);
  process.exitCode = status === 'succeeded' ? 0 : 1;
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
}
