import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect as connectSocket, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { loadModule, parseSync } from 'libpg-query';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ConnectionTarget, connect } from '../../shared/postgres/connect.ts';
import { ArchiveError, readArchive } from '../../shared/postgres/pg-dump/archive.ts';
import { dumpSchema } from '../../shared/postgres/pg-dump/dump-schema.ts';
import { runWasmPgDump } from '../../shared/postgres/pg-dump/wasm-pg-dump.ts';
import { readScript } from '../../shared/postgres/statements.ts';
import { embeddedBinaries, installedBinaries, testBinaries } from '../support/postgres-binaries.ts';
import { certificate } from './support/localhost-certificate.ts';
import { nastySchemaSql } from './support/nasty-schema.sql.ts';
import { type OwnServer, ownServer, PASSWORD } from './support/own-server.ts';

const run = promisify(execFile);
const postgresToolsPath = join(import.meta.dirname, '../../node_modules');
const installed = await installedBinaries();
const embedded = await embeddedBinaries();
/** A native pg_dump of each version, where there is one. */
const natives = new Map(installed.map(({ version, pgDump }) => [version, pgDump]));
const { tested: servers } = await testBinaries();
const [older] = installed.filter(({ version, pgDump }) => pgDump && version < embedded.version);

beforeAll(() => loadModule());

/**
 * What the statements mean to the server, so that quoting and layout do not matter; settings of the session left out, and
 * whether an owner is set by ALTER TABLE, as older versions of pg_dump do for views and sequences as well.
 */
function meaning(script: string): string[] {
  return readScript(script, { metaCommands: 'skip' })
    .map(({ sql }) => sql)
    .filter((sql) => !/^(SET|SELECT pg_catalog\.set_config)\b/.test(sql))
    .map((sql) =>
      JSON.stringify(parseSync(sql), (key, value) =>
        /^(location|stmt_.*)$/.test(key) || isOwnersKind(key, value) ? undefined : value,
      ),
    );
}

const isOwnersKind = (key: string, value: unknown): boolean =>
  key === 'objtype' && /^OBJECT_(TABLE|VIEW|MATVIEW|SEQUENCE)$/.test(String(value));

async function nativeDump(pgDump: string, target: ConnectionTarget, ...args: string[]): Promise<string> {
  const { user, password } = await target.credentials();
  const options = { env: { PGPASSWORD: password ?? '', PATH: process.env.PATH }, maxBuffer: 1e8 };
  const where = ['-h', target.host, '-p', String(target.port), '-U', user, target.database];
  return (await run(pgDump, [...args, ...where], options)).stdout;
}

/** Runs statements one by one in a database. */
async function execute(
  target: ConnectionTarget,
  statements: readonly string[],
  database = target.database,
): Promise<void> {
  const client = await connect(target, { database });
  try {
    for (const sql of statements) await client.query(sql);
  } finally {
    await client.end();
  }
}

/** Bodies of functions that are parsed when they are created came with PostgreSQL 14. */
const quoteBody = (sql: string): string => sql.replace(/BEGIN ATOMIC(.*)END;?$/s, 'AS $body$$$1$body$$');

async function openSessions(target: ConnectionTarget): Promise<number> {
  const client = await connect(target, { database: 'postgres' });
  const { rows } = await client.query('SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = $1', [
    target.database,
  ]);
  await client.end();
  return rows[0].n;
}

describe.each(servers)('dumping the schema of PostgreSQL $version', (binaries) => {
  const { version } = binaries;
  const pgDumpPath = natives.get(version);
  let server: OwnServer;
  let target: ConnectionTarget;

  beforeAll(async () => {
    server = await ownServer(binaries, {
      shared_preload_libraries: binaries.statements ? 'pg_stat_statements' : '',
    });
    target = server.target({ database: 'nasty' });
    await execute(target, ['CREATE DATABASE nasty', 'CREATE DATABASE again'], 'postgres');
    await execute(
      target,
      readScript(nastySchemaSql).map(({ sql }) => (version >= 14 ? sql : quoteBody(sql))),
    );
  });
  afterAll(() => server?.remove());

  test.runIf(pgDumpPath)('means the same as the native one, in its order', async () => {
    const { entries } = await dumpSchema({ target, postgresToolsPath });
    const native = meaning(await nativeDump(pgDumpPath ?? '', target, '--schema-only'));
    const own = meaning(entries.map(({ sql }) => sql).join('\n'));
    // A newer pg_dump spells out the privileges that were all there were to an older server.
    expect(own.filter((sql) => !native.includes(sql) && !sql.includes('GrantStmt'))).toEqual([]);
    expect(own).toHaveLength(native.length);
    const { entries: viaNative } = await dumpSchema({ target, postgresToolsPath, pgDumpPath: pgDumpPath ?? '' });
    expect(meaning(viaNative.map(({ sql }) => sql).join('\n'))).toEqual(native);
  });

  test('comes back the same from a database made of its entries', async () => {
    const { preamble, entries } = await dumpSchema({ target, postgresToolsPath });
    const again = { ...target, database: 'again' };
    await execute(again, [preamble, ...entries.map(({ sql }) => sql)]);
    const second = await dumpSchema({ target: again, postgresToolsPath });
    const comparable = ({ entries: all }: typeof second) =>
      all.map(({ type, schema, name, owner, section, sql }) => ({ type, schema, name, owner, section, sql }));
    expect(comparable(second)).toEqual(comparable({ ...second, entries }));
    expect(await openSessions(again)).toBe(0);
  });

  test('names every object exactly, with section, owner and dependencies', async () => {
    const { entries, pgDumpVersion, serverVersion } = await dumpSchema({ target, postgresToolsPath });
    expect(pgDumpVersion).toMatch(/^18\./);
    expect(serverVersion).toMatch(new RegExp(`^${version}\\.`));
    const find = (type: string, name: string) => entries.find((entry) => entry.type === type && entry.name === name);
    const table = find('TABLE', 'na;me"\nType: TABLE 🐘');
    expect(table).toMatchObject({ schema: 'public', owner: 'postgres', section: 'pre-data', class_id: 1259 });
    const key = entries.find(
      ({ type, depends_on }) => type === 'FK CONSTRAINT' && depends_on.includes(table?.dump_id ?? 0),
    );
    expect(key).toMatchObject({ section: 'post-data' });
    const body = find('FUNCTION', 'fake_comments()');
    expect(body).toMatchObject({ owner: 'owner; Type: TABLE', section: 'pre-data' });
    expect(body?.sql).toContain('\nDROP TABLE evil;\n\\restrict abc\n\\unrestrict abc\n');
    expect(body?.sql).toContain('ALTER FUNCTION public.fake_comments() OWNER TO "owner; Type: TABLE";');
    expect(entries.some(({ name }) => name === 'evil')).toBe(false);
    expect(find('INDEX', 'i;x')).toMatchObject({ section: 'post-data' });
    expect(find('COMMENT', 'TABLE base')?.sql).toContain('\\restrict x\n');
    expect(find('POLICY', 'base pol;icy')).toMatchObject({ section: 'post-data' });
    expect(entries.some(({ type, sql }) => /BLOB|DATABASE|DATA$/.test(type) || sql.includes('4711'))).toBe(false);
    const order = entries.map(({ type }) => type);
    expect(order.lastIndexOf('TRIGGER')).toBeLessThan(order.indexOf('ACL'));
    expect(order.lastIndexOf('ACL')).toBeLessThan(order.indexOf('EVENT TRIGGER'));
  });

  test('an archive that is cut short, goes on, or is something else is refused', async () => {
    const args = ['--format=custom', '--compress=0', '--schema-only'];
    const bytes = await runWasmPgDump({ target, args }, postgresToolsPath);
    expect(readArchive(bytes).entries.length).toBeGreaterThan(0);
    for (let length = 0; length < bytes.length; length += 97) {
      expect(() => readArchive(bytes.subarray(0, length))).toThrow(ArchiveError);
    }
    expect(() => readArchive(Buffer.concat([bytes, Buffer.from('x')]))).toThrow(ArchiveError);
    expect(() => readArchive(Buffer.from('-- a dump as text'))).toThrow(ArchiveError);
    const later = Buffer.from(bytes);
    later[6] = 17;
    expect(readArchive(later)).toEqual(readArchive(bytes));
  });

  test('gives the sections asked for', async () => {
    const all = await dumpSchema({ target, postgresToolsPath });
    const pre = await dumpSchema({ target, postgresToolsPath, sections: ['pre-data'] });
    const post = await dumpSchema({ target, postgresToolsPath, sections: ['post-data'] });
    expect([...pre.entries, ...post.entries]).toEqual(all.entries);
    expect(pre.entries.length * post.entries.length).toBeGreaterThan(0);
  });

  test('sees what a snapshot sees', async () => {
    const holder = await connect(target);
    try {
      await holder.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
      const { rows } = await holder.query<{ id: string }>('SELECT pg_export_snapshot() AS id');
      await execute(target, ['CREATE TABLE later ()']);
      const { entries } = await dumpSchema({ target, postgresToolsPath, snapshot: rows[0]?.id ?? '' });
      expect(entries.some(({ name }) => name === 'later')).toBe(false);
      expect((await dumpSchema({ target, postgresToolsPath })).entries.some(({ name }) => name === 'later')).toBe(true);
    } finally {
      await holder.end();
      await execute(target, ['DROP TABLE IF EXISTS later']);
    }
    await expect(dumpSchema({ target, postgresToolsPath, snapshot: '00000000-0000FFFF-1' })).rejects.toMatchObject({
      code: 'schema_dump_failed',
    });
  });

  test('leaves nothing open when it is aborted, waits for a lock, or loses its session', async () => {
    const holder = await connect(target);
    try {
      await holder.query('BEGIN; LOCK TABLE base');
      const short = { ...target, limits: { ...target.limits, lock_timeout_ms: 200 } };
      await expect(dumpSchema({ target: short, postgresToolsPath })).rejects.toMatchObject({ code: 'schema_locked' });

      const abort = new AbortController();
      const blocked = dumpSchema({ target, postgresToolsPath, signal: abort.signal });
      await waitForLock(holder);
      abort.abort(new Error('enough'));
      await expect(blocked).rejects.toThrow('enough');
      await expect(dumpSchema({ target, postgresToolsPath, signal: abort.signal })).rejects.toThrow('enough');

      await expect.poll(async () => (await holder.query(lockWaits)).rowCount).toBe(0);

      // Awaited from the start: it may fail while the server still answers the one that ended it.
      const lost = expect(dumpSchema({ target, postgresToolsPath })).rejects.toMatchObject({ code: 'connection_lost' });
      const pid = await waitForLock(holder);
      await holder.query('SELECT pg_terminate_backend($1)', [pid]);
      await lost;
    } finally {
      await holder.end();
    }
    await expect.poll(() => openSessions(target)).toBe(0);
  });

  test('logs in with SCRAM, md5 and trust, over verified TLS, and with a long password', async () => {
    // Until 13 the server takes no more than a thousand.
    const long = 'x'.repeat(version >= 14 ? 2000 : 900);
    await execute(
      target,
      [
        'CREATE ROLE trusted LOGIN SUPERUSER',
        `SET password_encryption = 'md5'`,
        `CREATE ROLE hashed LOGIN SUPERUSER PASSWORD 'h'`,
        `SET password_encryption = 'scram-sha-256'`,
        `CREATE ROLE only_tls LOGIN SUPERUSER PASSWORD '${long}'`,
      ],
      'postgres',
    );
    const as = (user: string, password: string, changes: Partial<ConnectionTarget> = {}) =>
      dumpSchema({
        target: { ...target, credentials: async () => ({ user, password }), ...changes },
        postgresToolsPath,
      });
    await expect(as('trusted', '')).resolves.toHaveProperty('entries');
    await expect(as('hashed', 'h')).resolves.toHaveProperty('entries');
    await expect(as('only_tls', long)).rejects.toMatchObject({ code: 'login_refused' });
    const verified: ConnectionTarget['tls'] = { mode: 'verify-full', ca: certificate };
    await expect(as('only_tls', long, { host: 'localhost', tls: verified })).resolves.toHaveProperty('entries');
    await expect(as('only_tls', long, { host: '127.0.0.1', tls: verified })).rejects.toMatchObject({
      code: 'tls_failed',
    });
    await expect(as('only_tls', long, { host: 'localhost', tls: { mode: 'verify-full' } })).rejects.toMatchObject({
      code: 'tls_failed',
    });
    if (pgDumpPath) {
      const native = dumpSchema({
        target: {
          ...target,
          host: 'localhost',
          tls: verified,
          credentials: async () => ({ user: 'only_tls', password: long }),
        },
        postgresToolsPath,
        pgDumpPath,
      });
      await expect(native).resolves.toHaveProperty('entries');
    }
  });

  test('says when pg_dump is older than the server, and what to do', async () => {
    const proxy = await agingProxy(server.port, version);
    try {
      const aged = { ...target, port: proxy.port };
      const failure = await dumpSchema({ target: aged, postgresToolsPath }).catch((error) => error);
      expect(failure).toMatchObject({
        code: 'pg_dump_too_old',
        message: expect.stringContaining('99.'),
        nextStep: expect.stringContaining('PG_DUMP_PATH'),
      });
      expect(failure.message).toMatch(/pg_dump \(18\.\d+\)/);
    } finally {
      await proxy.close();
    }
    if (older && older.version < version) {
      const native = dumpSchema({ target, postgresToolsPath, pgDumpPath: older.pgDump ?? '' });
      await expect(native).rejects.toMatchObject({
        code: 'pg_dump_too_old',
        message: expect.stringContaining(`${older.version}.`),
      });
    }
    await expect(dumpSchema({ target, postgresToolsPath, pgDumpPath: '/nowhere/pg_dump' })).rejects.toMatchObject({
      code: 'pg_dump_missing',
    });
  });

  test('no failure holds the password', async () => {
    const bad = { ...target, credentials: async () => ({ user: 'postgres', password: `wrong ${PASSWORD}` }) };
    for (const options of [{}, ...(pgDumpPath ? [{ pgDumpPath }] : [])]) {
      const failure = await dumpSchema({ target: bad, postgresToolsPath, ...options }).catch((error) => error);
      expect(failure).toMatchObject({ code: 'login_refused' });
      expect(`${failure.message} ${failure.cause} ${failure.stack}`).not.toContain(PASSWORD);
    }
  });

  test('says when the schema is not Unicode', async () => {
    await execute(target, ["CREATE DATABASE bytes ENCODING 'SQL_ASCII' TEMPLATE template0"], 'postgres');
    const bytes = { ...target, database: 'bytes' };
    await execute(bytes, ['CREATE TABLE ünï (a int)']);
    expect((await dumpSchema({ target: bytes, postgresToolsPath })).entries).toContainEqual(
      expect.objectContaining({ name: 'ünï' }),
    );
    await execute(bytes, [
      `DO $$ BEGIN EXECUTE 'COMMENT ON TABLE "ünï" IS ' || quote_literal(convert_from('\\xe9', 'SQL_ASCII')); END $$`,
    ]);
    await expect(dumpSchema({ target: bytes, postgresToolsPath })).rejects.toMatchObject({
      code: 'schema_not_unicode',
    });
  });

  test.runIf(version === embedded.version)('works from one bundled file', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'bundle-'));
    try {
      const outfile = join(folder, 'index.mjs');
      await build({
        stdin: {
          contents: `import { dumpSchema } from './shared/postgres/pg-dump/dump-schema.ts';
            const target = { ...JSON.parse(process.argv[2]), credentials: async () => ({ user: 'postgres', password: process.argv[3] }) };
            const { entries } = await dumpSchema({ target, postgresToolsPath: process.argv[4] });
            console.log(entries.length);`,
          resolveDir: join(import.meta.dirname, '../..'),
        },
        bundle: true,
        minify: true,
        keepNames: true,
        platform: 'node',
        format: 'esm',
        target: 'node24',
        outfile,
        external: ['pg-native'],
        banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
      });
      const { stdout } = await run(process.execPath, [outfile, JSON.stringify(target), PASSWORD, postgresToolsPath], {
        cwd: folder,
      });
      expect(Number(stdout)).toBe((await dumpSchema({ target, postgresToolsPath })).entries.length);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  /** Waits until another session waits for a lock; answers its process id. */
  async function waitForLock(client: Awaited<ReturnType<typeof connect>>): Promise<number> {
    await expect.poll(async () => (await client.query(lockWaits)).rowCount, { timeout: 10_000 }).toBe(1);
    return (await client.query(lockWaits)).rows[0].pid;
  }
});

const lockWaits = 'SELECT pid FROM pg_locks WHERE NOT granted';

/** Passes a connection on, but makes the server call itself version 99: no server newer than the newest pg_dump exists. */
async function agingProxy(port: number, version: number): Promise<{ port: number; close(): Promise<void> }> {
  const sockets = new Set<Socket>();
  const proxy = createServer((client) => {
    const upstream = connectSocket(port, '127.0.0.1');
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined).on('close', () => [client, upstream].forEach((each) => void each.destroy()));
    }
    client.pipe(upstream);
    upstream.on('data', (chunk) =>
      client.write(chunk.toString('latin1').replaceAll(new RegExp(`\\b${version}\\.(?=\\d)`, 'g'), '99.'), 'latin1'),
    );
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  return {
    port: (proxy.address() as { port: number }).port,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => proxy.close(resolve));
    },
  };
}
