import { randomBytes } from 'node:crypto';
import { expect } from 'vitest';
import type { LocalSystem } from '../../../local/system.ts';
import type { Role } from '../../../shared/contract/roles.ts';
import { basePath } from '../../../shared/contract/routes.ts';
import { type Backup, backupSchema } from '../../../shared/contract/schemas/backup.ts';
import { type Problem, problemSchema } from '../../../shared/contract/schemas/common.ts';
import { type Job, jobSchema } from '../../../shared/contract/schemas/job.ts';

export interface Call {
  method?: string;
  /** Whose token is sent; null: none. */
  as?: Role | null;
  /** Sent in place of the role's token. */
  token?: string;
  headers?: Record<string, string>;
  /** An object is sent as JSON, text as it is. */
  body?: unknown;
}

export interface Answer {
  status: number;
  headers: Headers;
  text: string;
  // biome-ignore lint/suspicious/noExplicitAny: a test says itself what it expects in a body.
  json: any;
}

/** Calls the API over HTTP, as a person with `curl` would. */
export async function call(
  { apiUrl, tokens }: Pick<LocalSystem, 'apiUrl' | 'tokens'>,
  path: string,
  { method, as = 'admin', token, headers = {}, body }: Call = {},
): Promise<Answer> {
  const sent = token ?? (as === null ? null : tokens[as]);
  const response = await fetch(`${apiUrl}${basePath}${path}`, {
    method: method ?? (body === undefined ? 'GET' : 'POST'),
    headers: {
      ...(sent === null ? {} : { authorization: `Bearer ${sent}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  const isJson = /json/.test(response.headers.get('content-type') ?? '') && text !== '';
  return { status: response.status, headers: response.headers, text, json: isJson ? JSON.parse(text) : null };
}

/** The answer as a problem of the contract. */
export function problemOf({ status, headers, json }: Answer): Problem {
  expect(headers.get('content-type')).toBe('application/problem+json');
  const problem = problemSchema.strict().parse(json);
  expect(problem).toMatchObject({ status, type: `urn:problem:${problem.code}` });
  return problem;
}

type Api = Parameters<typeof call>[0];

/** Starts a backup; the request must be accepted. */
export async function startBackup(system: Api, database: string, custom_name: string | null = null): Promise<Job> {
  return accepted(await call(system, `/backups?database=${database}`, { body: { backup_type: 'full', custom_name } }));
}

/** Starts a restore; the request must be accepted. */
export async function startRestore(
  system: Api,
  { database, backup, target }: { database: string; backup: string; target: string },
): Promise<Job> {
  const body = { backup_id: backup, confirm: true, target_database: target };
  return accepted(await call(system, `/restore?database=${database}`, { body }));
}

/** The job that an answer 202 speaks of. */
export function accepted({ status, headers, json, text }: Answer): Job {
  expect(status, text).toBe(202);
  const job = jobSchema.strict().parse(json);
  expect(headers.get('location')).toMatch(new RegExp(`${basePath}/jobs/${job.id}$`));
  return job;
}

export async function getJob(system: Api, id: string): Promise<Job> {
  const { status, json, text } = await call(system, `/jobs/${id}`, { as: 'viewer' });
  expect(status, text).toBe(200);
  return jobSchema.strict().parse(json);
}

export async function getBackup(system: Api, id: string): Promise<Backup> {
  const { status, json, text } = await call(system, `/backups/${id}`, { as: 'viewer' });
  expect(status, text).toBe(200);
  return backupSchema.strict().parse(json);
}

export async function listBackups(system: Api, database: string, query = ''): Promise<Backup[]> {
  const { status, json, text } = await call(system, `/backups?database=${database}${query}`, { as: 'viewer' });
  expect(status, text).toBe(200);
  return backupSchema.strict().array().parse(json.items);
}

/** What has taken long is asked for less often: an answer of the API costs processor time in four processes. */
const pauseMs = (waitedMs: number): number => Math.min(500, Math.max(100, waitedMs / 20));

/** Reads until a condition holds, three minutes at most. */
export async function eventually<Value>(
  read: () => Promise<Value> | Value,
  done: (value: Value) => boolean,
): Promise<Value> {
  const began = Date.now();
  for (;;) {
    const value = await read();
    if (done(value)) return value;
    const waited = Date.now() - began;
    if (waited > 180_000) throw new Error(`It did not come to be; at last: ${JSON.stringify(value)}`);
    await new Promise((resolve) => setTimeout(resolve, pauseMs(waited)));
  }
}

/** Follows a job to its end. @returns everything it said of itself on the way, the end last. */
export async function followJob(system: Api, id: string): Promise<[...Job[], Job]> {
  const seen: Job[] = [];
  const last = await eventually(
    async () => {
      const job = await getJob(system, id);
      seen.push(job);
      return job;
    },
    ({ status }) => status !== 'queued' && status !== 'running',
  );
  return [...seen, last];
}

/** Waits for the end of a job. */
export async function endOf(system: Api, id: string): Promise<Job> {
  const jobs = await followJob(system, id);
  return jobs[jobs.length - 1] as Job;
}

/** A name that nothing else has. */
export const uniqueName = (prefix: string): string => `${prefix}_${randomBytes(4).toString('hex')}`;
