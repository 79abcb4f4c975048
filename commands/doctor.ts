import { parseArgs } from 'node:util';
import { type DoctorReport, doctorSchema } from '../shared/contract/schemas/doctor.ts';
import { describeReport, isBroken } from './doctor/describe.ts';

const usage = `npm run -s doctor [-- --database <id>] [--all] [--json]

Logs in to a database as this system does and says what works, what does not and why, with the statement or command that cures it. API is
the address of the API, such as https://abc.execute-api.eu-central-1.amazonaws.com/v1/api/database, and VIEWER the token of somebody who
may read. Of a system on this machine:

  . .local/tokens && npm run -s doctor

  --database  id of a configured database; the first one without it
  --all       fails for features that are not in use as well
  --json      the report as the API gives it

Ends with 1 when a feature in use does not work or is unknown to, and with 2 when nothing could be asked.`;

/** The route ends by itself after 28 seconds. */
const REQUEST_MS = 40_000;

/** @throws Error with what the API said */
async function ask(address: string, token: string, database: string | undefined): Promise<DoctorReport> {
  const query = database === undefined ? '' : `?database=${encodeURIComponent(database)}`;
  const response = await fetch(`${address.replace(/\/+$/, '')}/doctor${query}`, {
    headers: { authorization: `Bearer ${token}` },
    signal: AbortSignal.timeout(REQUEST_MS),
  });
  const answer: unknown = await response.json().catch(() => null);
  if (response.ok) return doctorSchema.parse(answer);
  const { detail = 'no answer of this API', next_step = '' } = (answer ?? {}) as Record<string, string>;
  throw new Error(`${response.status}: ${detail}. ${next_step}`.trim());
}

try {
  const { database, all, json, help } = parseArgs({
    options: {
      database: { type: 'string' },
      all: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  }).values;
  const { API: address, VIEWER: token } = process.env;
  if (help || !address || !token) throw new Error(usage);
  const report = await ask(address, token, database);
  console.log(json ? JSON.stringify(report, null, 2) : describeReport(report));
  process.exitCode = isBroken(report, { all }) ? 1 : 0;
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
}
