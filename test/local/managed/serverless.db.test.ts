import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openServerlessFront, type ServerlessFront } from '../../../local/postgres/managed/serverless.ts';
import { anyServer } from '../../support/servers.ts';

const RESUME_MS = 300;
const { user, password, ...server } = anyServer();
let front: ServerlessFront;
beforeAll(async () => {
  front = await openServerlessFront(server, { pauseAfterMs: 100, resumeMs: RESUME_MS });
});
afterAll(() => front?.close());

async function connect(): Promise<pg.Client> {
  const client = new pg.Client({ host: front.host, port: front.port, user, password, database: 'postgres' });
  await client.connect();
  return client;
}

test('pauses without connections, and holds the next one until it has resumed', async () => {
  await expect.poll(() => front.state()).toBe('paused');
  const began = performance.now();
  const [first, second] = await Promise.all([connect(), connect()]);
  expect(performance.now() - began).toBeGreaterThanOrEqual(RESUME_MS - 20);
  expect((await first.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  await second.end();
  // One connection keeps it awake.
  await new Promise((done) => setTimeout(done, 200));
  expect([front.state(), front.pauses()]).toEqual(['running', 1]);
  await first.end();
  await expect.poll(() => front.pauses()).toBe(2);
});
