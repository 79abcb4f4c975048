import { parseArgs } from 'node:util';
import type { Job } from '../shared/contract/schemas/job.ts';
import { followJob } from './follow-job.ts';

const usage = `npm run -s job -- <job id>

Shows how far a job has come until it has ended, and why it failed. API is the
address of the API and VIEWER the token of somebody who may read. Of a system
on this machine:

  . .local/tokens && npm run -s job -- job-01JZ8Q4F7M3N5P6R8S9T0V1W2X`;

/** One line: what it does, how much of it is done, and how long it still takes, as far as the job knows. */
function describe({ kind, status, progress }: Job): string {
  const parts = [`${kind}: ${status}`];
  if (status === 'running' && progress) {
    const { phase, tables, rows, bytes, bytes_per_second, seconds_left } = progress;
    parts.push(phase);
    if (bytes.total) parts.push(`${Math.min(100, Math.floor((100 * bytes.done) / bytes.total))} %`);
    parts.push(`${tables.done} tables, ${rows.done.toLocaleString('en-US')} rows`);
    if (bytes_per_second !== null) parts.push(`${(bytes_per_second / 1_000_000).toFixed(1)} MB/s`);
    if (seconds_left !== null) parts.push(`about ${Math.ceil(seconds_left)} s left`);
  }
  return parts.join(', ');
}

try {
  const { values, positionals } = parseArgs({ options: { help: { type: 'boolean' } }, allowPositionals: true });
  const { API: address, VIEWER: token } = process.env;
  const [id, ...others] = positionals;
  if (values.help || !id || others.length > 0) throw new Error(usage);
  if (!address || !token)
    throw new Error('API and VIEWER are not set in this shell. Of a system on this machine: . .local/tokens');
  let shown = '';
  const { status, warnings, error } = await followJob({ address, token }, id, (job) => {
    const line = describe(job);
    if (line !== shown) console.log(line);
    shown = line;
  });
  for (const line of warnings) console.log(`warning: ${line}`);
  if (error) console.error(`${error.message}. ${error.next_step}`);
  process.exitCode = status === 'succeeded' ? 0 : 1;
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
}
