import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DownloadStore } from '../../../shared/backup/download/multipart.ts';
import type { Manifest } from '../../../shared/backup/manifest.ts';
import { quoteIdentifier } from '../../../shared/postgres/identifiers.ts';
import { databaseDifferences } from '../../support/compare/compare.ts';
import { createEverything } from '../../support/everything/create-everything.ts';
import { createNorthwind, northwindIsPresent } from '../../support/northwind.ts';
import { loadScript, psqlIsInstalled } from '../../support/psql.ts';
import {
  anyServer,
  createScratchDatabase,
  forEachServer,
  type ScratchDatabase,
  withClient,
} from '../../support/servers.ts';
import { useBackupHarness } from '../support/harness.ts';
import { contentOf, createDownloadBucket, downloadOf, fetchFile, loadDownload, makeDownload } from './support.ts';

const harness = useBackupHarness();
let downloads: DownloadStore;
let folder: string;
beforeAll(async () => {
  downloads = await createDownloadBucket(harness);
  folder = await mkdtemp(join(tmpdir(), 'download-tests-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const make = (manifest: Manifest, format?: 'sql.zst' | 'sql.gz') =>
  makeDownload(harness, downloads, downloadOf(manifest, format));
const textOf = async (manifest: Manifest): Promise<string> =>
  (await contentOf(downloads, await make(manifest))).toString('utf8');

/** What the header says of the properties of the database itself, as statements for another one. */
function propertiesIn(script: string, from: string, to: string): string {
  const [, written = ''] = /^-- It had these properties.*\n((?:-- {5}.*\n)+)/m.exec(script) ?? [];
  return written
    .replace(/^-- {5}/gm, '')
    .replaceAll(`DATABASE ${quoteIdentifier(from)}`, `DATABASE ${quoteIdentifier(to)}`);
}

const leftOut = psqlIsInstalled ? '' : ' (left out, as there is no psql on this machine)';

forEachServer((server) => {
  describe.runIf(psqlIsInstalled)(`psql makes of the script${leftOut}`, () => {
    test('of one of everything an equal database', async () => {
      const source = await createEverything(server, { bigRowBytes: 4_000_000 });
      const manifest = await harness.backUp(source.target());
      // The compression has nothing to do with the server.
      for (const format of server.label === anyServer().label
        ? (['sql.zst', 'sql.gz'] as const)
        : (['sql.zst'] as const)) {
        const loaded = await loadDownload(downloads, await make(manifest, format), server);
        expect(loaded.notices).toBe('');
        const properties = propertiesIn(await textOf(manifest), source.name, loaded.name);
        await withClient(server, 'postgres', (client) => client.query(properties));
        expect(await databaseDifferences(source, loaded)).toEqual([]);
        await loaded.drop();
      }
      await source.drop();
    });

    test.runIf(northwindIsPresent)(
      northwindIsPresent ? 'of Northwind an equal one' : 'of Northwind is left out, as it is not there',
      async () => {
        const source = await createNorthwind(server);
        const loaded = await loadDownload(downloads, await make(await harness.backUp(source.target())), server);
        expect(loaded.notices).toBe('');
        expect(await databaseDifferences(source, loaded)).toEqual([]);
        await loaded.drop();
        await source.drop();
      },
    );
  });
});

const SOURCE = `
CREATE SCHEMA sales;
CREATE TABLE sales.customers (id serial PRIMARY KEY, name text);
CREATE TABLE sales.a_child (id int PRIMARY KEY, customer int REFERENCES sales.customers);
CREATE TABLE other (n int);
CREATE MATERIALIZED VIEW sales.totals AS SELECT count(*) FROM sales.customers;
CREATE ROLE "script's owner"; ALTER TABLE other OWNER TO "script's owner";
INSERT INTO sales.customers (name) SELECT 'Ann ' || n FROM generate_series(1, 100) n;
INSERT INTO sales.a_child SELECT n, n FROM generate_series(1, 100) n;
REFRESH MATERIALIZED VIEW sales.totals;
SELECT lo_from_bytea(815, 'large');`;

describe('the script', () => {
  const server = anyServer();
  let source: ScratchDatabase;
  const backUp = (request: object) => harness.backUp(source.target(), { request });
  beforeAll(async () => {
    source = await createScratchDatabase(server);
    await withClient(server, source.name, (client) => client.query(SOURCE));
  });
  afterAll(async () => {
    await source?.drop();
    await withClient(server, 'postgres', (client) => client.query(`DROP ROLE IF EXISTS "script's owner"`));
  });

  test.runIf(psqlIsInstalled)(
    `of definitions and that of rows, one after the other, make an equal database${leftOut}`,
    async () => {
      const loaded = await loadDownload(downloads, await make(await backUp({ backupType: 'schema' })), server);
      const rows = await fetchFile(downloads, await make(await backUp({ backupType: 'data' })), folder);
      const without = { PGOPTIONS: '-c session_replication_role=replica' };
      expect(await loadScript(server, loaded.name, rows, without)).toBe('');
      expect(await databaseDifferences(source, loaded)).toEqual([]);
      await loaded.drop();
    },
  );

  test('says what it is of, what it needs, and keeps psql to SQL', async () => {
    const full = await backUp({ customName: 'before\nrelease' });
    const script = await textOf(full);
    const [header = ''] = script.split(/^\\restrict/m);
    expect(header.split('\n').filter((line) => line !== '' && !line.startsWith('--'))).toEqual([]);
    expect(header).toContain(`Backup ${full.id} "before\n-- release" (full) of the database "${source.name}"`);
    expect(header).toContain(`CREATE ROLE "script's owner" NOLOGIN;`);
    expect(header).toContain(`CREATE DATABASE "${source.name}" TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE`);
    const [, key] = /^\\restrict (\w+)$/m.exec(script) ?? [];
    expect(script.endsWith(`\\unrestrict ${key}\n`)).toBe(true);
    const data = await textOf(await backUp({ backupType: 'data' }));
    expect(data).not.toMatch(/^(CREATE TABLE|ALTER TABLE|CREATE SCHEMA|REVOKE)/m);
    // Before whatever may open it again.
    expect(script.indexOf('\nREVOKE CREATE ON SCHEMA public FROM PUBLIC;\n')).toBeLessThan(script.indexOf('\nCREATE '));
    expect(script).toContain('\nREVOKE CREATE ON SCHEMA public FROM PUBLIC;\n');
    expect(data).toMatch(/the database that it is loaded into must have\n-- the tables/);
  });

  test('of chosen tables has these alone', async () => {
    const script = await textOf(await backUp({ selection: { include: ['public.other'], exclude: null } }));
    expect(script).toContain('CREATE TABLE public.other');
    expect(script).not.toMatch(/sales\.|COPY|lo_create/);
  });

  test.runIf(psqlIsInstalled)(`runs no command that hides among the rows${leftOut}`, async () => {
    const manifest = await backUp({});
    // As a hostile server could send it: a line that ends the rows, then a command.
    const [table] = manifest.tables.filter(({ rows }) => rows > 0);
    const text = await textOf(manifest);
    const marker = join(folder, 'was-here');
    const hostile = text.replace(/^(COPY .* FROM STDIN;\n)/m, `$1\\.\n\\! touch ${marker}\n`);
    expect(table && hostile !== text).toBe(true);
    const file = join(folder, 'hostile.sql.zst');
    await writeFile(file, zstdCompressSync(hostile));
    const target = await createScratchDatabase(server);
    await expect(loadScript(server, target.name, file)).rejects.toThrow(/backslash commands are restricted/);
    expect(existsSync(marker)).toBe(false);
    await target.drop();
  });
});
