import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DATABASE_ID, useBackupHarness } from '../backup/support/harness.ts';
import { databaseDifferences } from '../support/compare/compare.ts';
import { isInstalled, psqlEnvironment } from '../support/psql.ts';
import {
  anyServer,
  connectTo,
  createScratchDatabase,
  dropDatabase,
  type ScratchDatabase,
  targetFor,
  withClient,
} from '../support/servers.ts';

/** A little of all that the document speaks of. */
const SOURCE = `
CREATE SCHEMA sales;
CREATE TYPE sales.state AS ENUM ('open', 'it''s done');
CREATE TABLE sales.orders (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "Odd ""column""" text, state sales.state,
  price money, lasts interval, seen timestamptz, doubled int GENERATED ALWAYS AS (id * 2) STORED);
CREATE TABLE sales."Items, all" (order_id int CONSTRAINT its_order REFERENCES sales.orders ON DELETE CASCADE, n int) PARTITION BY RANGE (n);
CREATE TABLE sales.items_1 PARTITION OF sales."Items, all" FOR VALUES FROM (0) TO (100);
CREATE TABLE a_before (id int PRIMARY KEY REFERENCES sales.orders);
CREATE TABLE nothing ();
INSERT INTO sales.orders ("Odd ""column""", state, price, lasts, seen)
  SELECT E'tab\\tquote''\\\\.\\nline ' || repeat(md5(n::text), 30), 'open', n, make_interval(days => n), '2026-01-01' FROM generate_series(1, 3000) n;
INSERT INTO sales."Items, all" SELECT 1 + n, n FROM generate_series(0, 99) n;
INSERT INTO a_before SELECT generate_series(1, 50);
INSERT INTO nothing DEFAULT VALUES;
CREATE MATERIALIZED VIEW a_second AS SELECT 1 AS n;
CREATE MATERIALIZED VIEW sales.totals AS SELECT count(*) AS orders FROM sales.orders;
CREATE INDEX ON sales.orders (state) WHERE state = 'open';
CREATE FUNCTION sales.refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no''; END';
CREATE TRIGGER refuse BEFORE INSERT ON sales.orders FOR EACH ROW EXECUTE FUNCTION sales.refuse();
CREATE FUNCTION sales.watch() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no''; END';
CREATE EVENT TRIGGER by_hand_watch ON ddl_command_start WHEN TAG IN ('CREATE TABLE', 'CREATE INDEX') EXECUTE FUNCTION sales.watch();
COMMENT ON EVENT TRIGGER by_hand_watch IS 'refuses';
SELECT lo_from_bytea(4711, decode(repeat('00ff', 100000), 'hex')), lo_from_bytea(4712, '');
COMMENT ON LARGE OBJECT 4711 IS 'it''s large';
GRANT SELECT ON LARGE OBJECT 4711 TO PUBLIC;
GRANT SELECT ON sales.orders TO pg_monitor;`;

const document = await readFile(join(import.meta.dirname, '../../docs/restore-by-hand.md'), 'utf8');
/** The commands of the document; the first block says which backup, and is a test's own. */
const [variables = '', ...commands] = [...document.matchAll(/^```bash\n(.*?)^```$/gms)].map(([, block = '']) => block);

const missing = ['aws', 'zstd', 'psql'].filter((program) => !isInstalled(program));
const leftOut = missing.length === 0 ? '' : ` (left out, as this machine lacks ${missing.join(', ')})`;
const server = anyServer();
const harness = useBackupHarness();

describe.runIf(missing.length === 0)(`docs/restore-by-hand.md${leftOut}`, () => {
  let folder: string;
  let source: ScratchDatabase;
  const name = `By hand ${Math.random().toString(36).slice(2)}`;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'by-hand-'));
    source = await createScratchDatabase(server);
    await withClient(server, source.name, (client) => client.query(SOURCE));
    const tool = join(import.meta.dirname, 'tools/aws-encryption-cli.ts');
    await writeFile(join(folder, 'aws-encryption-cli'), `#!/bin/sh\nexec '${process.execPath}' '${tool}' "$@"\n`);
    await chmod(join(folder, 'aws-encryption-cli'), 0o755);
  });
  afterAll(async () => {
    await dropDatabase(server, name);
    await source?.drop();
    await rm(folder, { recursive: true, force: true });
  });

  test('its commands, run as they stand there, make an equal database', async () => {
    const { id } = await harness.backUp(source.target());
    const { bucket, keyArn } = harness.store;
    const environment = {
      ...process.env,
      PATH: `${folder}:${process.env.PATH}`,
      ...psqlEnvironment(server, ''),
      BUCKET: bucket,
      DATABASE: DATABASE_ID,
      BACKUP: id,
      KEY: keyArn,
      NAME: name,
    };
    const named = [...variables.matchAll(/(?:export |^.* )(\w+)=/gm)].map(([, variable = '']) => variable);
    expect(Object.keys(environment)).toEqual(expect.arrayContaining(named));
    expect(commands).toHaveLength(9);
    const script = ['set -eu', ...commands].join('\n');
    const { stdout, stderr } = await promisify(execFile)('bash', ['-c', script], { cwd: folder, env: environment });
    expect(stderr).toBe('');
    expect(stdout.trim().split('\n')).toEqual([expect.stringContaining(`${id}/manifest.json.enc`)]);
    const restored: ScratchDatabase = {
      ...source,
      name,
      connect: () => connectTo(server, name),
      target: (changes) => targetFor(server, name, changes),
    };
    expect(await databaseDifferences(source, restored)).toEqual([]);
  });
});
