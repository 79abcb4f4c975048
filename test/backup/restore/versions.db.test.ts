import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Manifest } from '../../../shared/backup/manifest.ts';
import { databaseDifferences } from '../../support/compare/compare.ts';
import { beyondVersions } from '../../support/compare/version-differences.ts';
import { createEverything, createEverythingRoles } from '../../support/everything/create-everything.ts';
import {
  allServers,
  createScratchDatabase,
  type ScratchDatabase,
  type TestServer,
  testedServers,
  withClient,
} from '../../support/servers.ts';
import { useBackupHarness } from '../support/harness.ts';

/** Looks like what only newer servers have. */
const UNDERSTOOD = `CREATE TABLE stored (n int, twice int GENERATED ALWAYS AS (n * 2) STORED, note text DEFAULT 'not enforced');
CREATE FUNCTION body() RETURNS text LANGUAGE sql AS $$ SELECT 'begin atomic return (1)' $$;`;

/** What each version brought, and what a restore into an older one says of it. */
const NEWER: readonly { since: number; sql: string; named: string }[] = [
  {
    since: 14,
    sql: 'CREATE FUNCTION plus_one(n int) RETURNS int LANGUAGE sql RETURN n + 1;',
    named: 'FUNCTION public.plus_one(integer) (an SQL body that is not a string)',
  },
  {
    since: 14,
    sql: 'CREATE FUNCTION plus_two(n int) RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT n + 2; END;',
    named: 'FUNCTION public.plus_two(integer) (an SQL body that is not a string)',
  },
  {
    since: 14,
    sql: 'CREATE TABLE squeezed (t text); ALTER TABLE squeezed ALTER t SET COMPRESSION pglz;',
    named: 'TABLE public.squeezed (a compression method of a column)',
  },
  {
    since: 14,
    sql: 'CREATE TABLE ranges (r int4multirange);',
    named: 'TABLE public.ranges (a multirange type)',
  },
  {
    since: 14,
    sql: 'CREATE TABLE counted (n int, t text); CREATE STATISTICS of_expressions ON lower(t), (n % 5) FROM counted;',
    named: 'STATISTICS public.of_expressions (statistics of an expression)',
  },
  {
    since: 15,
    sql: 'CREATE TABLE hundreds (n numeric(5,-2));',
    named: 'TABLE public.hundreds (a numeric type of negative scale)',
  },
  {
    since: 15,
    sql: `CREATE TABLE points (n int, m int, UNIQUE (n, m));
CREATE TABLE pointing (n int, m int, CONSTRAINT to_points FOREIGN KEY (n, m) REFERENCES points (n, m) ON DELETE SET NULL (m));`,
    named: 'FK CONSTRAINT public.pointing to_points (a foreign key that sets some of its columns)',
  },
  {
    since: 15,
    sql: 'CREATE VIEW as_invoker WITH (security_invoker = true) AS SELECT 1 AS n;',
    named: 'VIEW public.as_invoker (a view that checks the rights of its invoker)',
  },
  {
    since: 15,
    sql: 'CREATE TABLE alone (n int CONSTRAINT alone_once UNIQUE NULLS NOT DISTINCT);',
    named: 'CONSTRAINT public.alone alone_once (a key whose nulls are not distinct)',
  },
  {
    since: 16,
    sql: `CREATE VIEW is_json AS SELECT '1' IS JSON AS j;`,
    named: 'VIEW public.is_json (IS JSON)',
  },
  {
    since: 17,
    sql: `CREATE VIEW of_json AS SELECT JSON_VALUE('{"a": 1}'::jsonb, '$.a') AS a;`,
    named: 'VIEW public.of_json (an SQL/JSON query function)',
  },
  {
    since: 18,
    sql: 'CREATE TABLE virtual (n int, "twice GENERATED" int GENERATED ALWAYS AS (CASE WHEN n > 0 THEN (n * 2) END));',
    named: 'TABLE public.virtual (a virtual generated column)',
  },
  {
    since: 18,
    sql: 'CREATE TABLE unchecked (n int, CONSTRAINT n_is_small CHECK (n < 10) NOT ENFORCED);',
    named: 'CHECK CONSTRAINT public.unchecked n_is_small (a constraint that is not enforced)',
  },
  {
    since: 18,
    sql: 'CREATE TABLE booked (room int4range, during daterange, PRIMARY KEY (room, during WITHOUT OVERLAPS));',
    named: 'CONSTRAINT public.booked booked_pkey (a key without overlaps)',
  },
];

const harness = useBackupHarness();
const tested = testedServers.map(({ version }) => version);
const steps = allServers.flatMap((newer) =>
  allServers
    .filter((older) => older.version < newer.version)
    .filter((older) => tested.includes(newer.version) || tested.includes(older.version))
    .map((older) => ({ newer, older, title: `from ${newer.label} to ${older.label}` })),
);

describe.each(steps)('$title', ({ newer: newest, older: server }) => {
  let source: ScratchDatabase;
  let manifest: Manifest;
  beforeAll(async () => {
    // One of everything that the older server has, on the newer one.
    source = await createEverything({ ...newest, version: server.version }, { bigRowBytes: 100_000 });
    manifest = await harness.backUp(source.target());
    await createEverythingRoles(server);
  });
  afterAll(async () => {
    await source?.drop();
  });

  test(`a backup of PostgreSQL ${newest.version} comes back equal in all that both have`, async () => {
    const restored = await harness.restore(manifest, server);
    expect(restored.summary.warnings).toEqual([
      ...(server.version < 17 && newest.version >= 17 ? [expect.stringContaining('loses the privilege MAINTAIN')] : []),
      ...(server.version < 15 && newest.version >= 15
        ? ['of single', 'of v, vs'].map((columns) => expect.stringContaining(`${columns} (type "char")`))
        : []),
    ]);
    const differences = await databaseDifferences({ ...source, server: newest }, restored);
    expect(beyondVersions(differences, { from: newest.version, to: server.version })).toEqual([]);
    await restored.drop();
  });

  test('what only the newer one has is named, all of it, before anything is created', async () => {
    const features = NEWER.filter(({ since }) => since > server.version && since <= newest.version);
    const newer = await createScratchDatabase(newest);
    await withClient(newest, newer.name, (client) =>
      client.query([UNDERSTOOD, ...features.map(({ sql }) => sql)].join('\n')),
    );
    const of = await harness.backUp(newer.target());
    const before = await databasesOf(server);
    const refused = harness.restore(of, server);
    await expect(refused).rejects.toMatchObject({ code: 'version_too_old' });
    const { message } = (await refused.catch((error: unknown) => error)) as Error;
    const start = `PostgreSQL ${server.version} does not have what these need: `;
    expect(message.slice(0, start.length)).toBe(start);
    expect(
      message
        .slice(start.length)
        .split(/(?<=since \d\d\)), /)
        .sort(),
    ).toEqual(features.map(({ named, since }) => named.replace(/\)$/, `, since ${since})`)).sort());
    expect(await databasesOf(server)).toEqual(before);
    await newer.drop();
  });
});

const databasesOf = (server: TestServer): Promise<string[]> =>
  withClient(server, 'postgres', async (client) => {
    const { rows } = await client.query<{ datname: string }>('SELECT datname FROM pg_database ORDER BY 1');
    return rows.map(({ datname }) => datname);
  });
