import { randomBytes } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import type pg from 'pg';
import { expect, test } from 'vitest';
import { openLineSource } from '../../shared/changes/capture/line-source.ts';
import { openCaptureSession, readSlot, untilSlotIsFree } from '../../shared/changes/capture/session.ts';
import { streamLines } from '../../shared/changes/capture/stream-lines.ts';
import { connect } from '../../shared/postgres/connect.ts';
import { quoteIdentifier } from '../../shared/postgres/identifiers.ts';
import { certificate } from '../postgres/support/localhost-certificate.ts';
import { ownServer } from '../postgres/support/own-server.ts';
import { anyBinaries } from '../support/postgres-binaries.ts';
import type { TestServer } from '../support/postgres-server.ts';
import { anyServer, databaseOf, forEachServer, type ScratchDatabase, withClient } from '../support/servers.ts';

const never = new AbortController().signal;

/** Every byte that COPY escapes, letters that have two bytes in UTF-8 and one in LATIN1, a line larger than a block, all kinds of lines. */
const awkwardSql = `
SET client_encoding = 'UTF8';
CREATE TABLE "odd ""name" (id serial PRIMARY KEY, note text, bytes bytea);
INSERT INTO "odd ""name" (note, bytes)
  SELECT 'é' || chr(n) || E'\\\\N\\\\.' || chr(n), decode(repeat('5c0a', n), 'hex') FROM generate_series(1, 127) AS n;
UPDATE "odd ""name" SET note = note || E'\\r\\n' WHERE id % 3 = 0;
BEGIN;
INSERT INTO "odd ""name" (note) VALUES (repeat(E'\\\\é\\n', 300000));
SAVEPOINT s; DELETE FROM "odd ""name" WHERE id < 9; ROLLBACK TO s;
SELECT pg_logical_emit_message(true, 'prefix', E'two\\nlines\\\\');
COMMIT;
BEGIN; DELETE FROM "odd ""name"; ROLLBACK;
SELECT pg_logical_emit_message(true, 'alone', '');
SELECT pg_logical_emit_message(false, 'of no transaction', E'\\t');
ALTER TABLE "odd ""name" ADD COLUMN more int;
TRUNCATE "odd ""name"`;

/** A database with a slot of its own, and where the log ends after what `sql` has written. */
async function withSlot<Result>(
  server: TestServer,
  { sql, encoding = 'UTF8' }: { sql: readonly string[]; encoding?: string },
  use: (at: {
    database: ScratchDatabase;
    client: pg.Client;
    slot: string;
    from: string;
    upto: string;
  }) => Promise<Result>,
): Promise<Result> {
  const name = `scratch_${randomBytes(6).toString('hex')}`;
  await withClient(server, 'postgres', (on) =>
    on.query(`CREATE DATABASE ${quoteIdentifier(name)} TEMPLATE template0 ENCODING '${encoding}' LOCALE 'C'`),
  );
  const database = databaseOf(server, name);
  const client = await openCaptureSession(database.target());
  const slot = `test_${name}`;
  try {
    await client.query("SELECT pg_create_logical_replication_slot($1, 'test_decoding')", [slot]);
    const { position: from } = await readSlot(client, slot);
    const writer = await database.connect();
    for (const each of sql) await writer.query(each);
    await writer.end();
    const { rows } = await client.query('SELECT pg_current_wal_flush_lsn()::text AS lsn');
    return await use({ database, client, slot, from, upto: rows[0].lsn });
  } finally {
    await client.query('SELECT pg_drop_replication_slot($1)', [slot]).catch(() => undefined);
    await client.end();
    await database.drop();
  }
}

const refuse = (cause: Error): never => {
  throw cause;
};

/** What a source gives, in bytes as characters. */
async function textOf(source: ReturnType<typeof openLineSource>, request: Parameters<typeof source>[0]) {
  let text = '';
  await source(
    request,
    async (block) => {
      text += block.toString('latin1');
    },
    never,
  );
  return text;
}

forEachServer((server) => {
  test.each(['UTF8', 'LATIN1'])('streams what the SQL function gives, byte by byte, in %s', async (encoding) => {
    const sql = awkwardSql.split(';\n');
    await withSlot(server, { sql, encoding }, async ({ database, client, slot, from, upto }) => {
      const options = { target: database.target(), onStreamRefused: refuse };
      const stream = openLineSource(client, { ...options, streamAfterBytes: 0 });
      const peek = openLineSource(client, { ...options, streamAfterBytes: Number.POSITIVE_INFINITY });
      const request = { slot, encoding, from, upto, mostLines: null };
      const all = await textOf(peek, request);
      expect(all.length).toBeGreaterThan(1_000_000);
      expect((await textOf(stream, request)) === all).toBe(true);
      // Bounds are met with a commit, as the function does.
      for (const mostLines of [1, 100, 200]) {
        const bounded = { ...request, mostLines };
        expect((await textOf(stream, bounded)) === (await textOf(peek, bounded))).toBe(true);
      }
      const commits = all.split('\n').filter((line) => line.includes('\tCOMMIT '));
      const third = { ...request, upto: commits[2]?.split('\t')[0] ?? '' };
      expect(await textOf(stream, third)).toBe(await textOf(peek, third));
      expect((await readSlot(client, slot)).position).toBe(from);
    });
  });

  test('a stream that is ended in the midst of a transaction leaves the slot free, and where it was', async () => {
    const sql = ['CREATE TABLE t AS SELECT n, repeat(md5(n::text), 20) FROM generate_series(1, 60000) AS n'];
    await withSlot(server, { sql }, async ({ database, client, slot, from, upto }) => {
      const source = openLineSource(client, {
        ...{ target: database.target(), streamAfterBytes: 0, onStreamRefused: refuse },
      });
      const request = { slot, encoding: 'UTF8', from, upto, mostLines: null };
      const state =
        'SELECT active, confirmed_flush_lsn::text AS position FROM pg_replication_slots WHERE slot_name = $1';
      const seen: unknown[] = [];
      const order: string[] = [];
      let left: Promise<unknown> | undefined;
      const ended = new AbortController();
      const consume = async (): Promise<void> => {
        seen.push((await client.query(state, [slot])).rows[0]);
        left = untilSlotIsFree(client, slot).then(() => order.push('free'));
        // Behind the first look of the wait.
        await client.query(state, [slot]);
        order.push('ended');
        ended.abort(new Error('ended'));
      };
      await expect(source(request, consume, ended.signal)).rejects.toThrow('ended');
      await left;
      expect(order).toEqual(['ended', 'free']);
      const failed = source(request, () => Promise.reject(new Error('the store is gone')), never);
      await expect(failed).rejects.toThrow('the store is gone');
      seen.push((await client.query(state, [slot])).rows[0]);
      expect(seen).toEqual([
        { active: true, position: from },
        { active: false, position: from },
      ]);
    });
  });
});

test('a consumer that is slow holds the server back, and keeps it from giving up', async () => {
  const rows = 60_000;
  const sql = [`CREATE TABLE t AS SELECT n, repeat(md5(n::text), 20) FROM generate_series(1, ${rows}) AS n`];
  await withSlot(anyServer(), { sql }, async ({ database, client, slot, from, upto }) => {
    await client.query(`ALTER DATABASE ${quoteIdentifier(database.name)} SET wal_sender_timeout = '4s'`);
    const session = await openCaptureSession(database.target(), { replication: true });
    const { stream } = (session as unknown as { connection: { stream: { bytesRead: number } } }).connection;
    let lines = 0;
    let received = 0;
    const consume = async (block: Buffer): Promise<void> => {
      if (lines === 0) {
        await setTimeout(6000);
        received = stream.bytesRead;
      }
      for (const byte of block) if (byte === 0x0a) lines += 1;
    };
    const request = { slot, encoding: 'UTF8', from, upto, mostLines: null };
    await streamLines(session, request, consume, { signal: never, onStart: () => undefined });
    expect(received).toBeLessThan(8_000_000);
    expect(stream.bytesRead).toBeGreaterThan(40_000_000);
    expect(lines).toBeGreaterThan(rows);
    expect((await readSlot(client, slot)).position).toBe(from);
  });
}, 60_000);

test('a server that refuses to stream is read by the SQL function, and it is told once', async () => {
  const server = await ownServer(await anyBinaries(), { wal_level: 'logical', max_wal_senders: '0' });
  try {
    const client = await connect(server.target());
    await client.query("SELECT pg_create_logical_replication_slot('refused', 'test_decoding')");
    const { position: from } = await readSlot(client, 'refused');
    await client.query('CREATE TABLE t AS SELECT');
    const { rows } = await client.query('SELECT pg_current_wal_flush_lsn()::text AS lsn');
    const told: string[] = [];
    const source = openLineSource(client, {
      target: server.target(),
      streamAfterBytes: 0,
      onStreamRefused: (cause) => void told.push(cause.message),
    });
    const request = { slot: 'refused', encoding: 'UTF8', from, upto: rows[0].lsn, mostLines: null };
    const first = await textOf(source, request);
    expect(first).toContain('table public.t: INSERT');
    expect(await textOf(source, request)).toBe(first);
    expect(told).toEqual([expect.stringContaining('max_wal_senders')]);
    await client.end();
  } finally {
    await server.remove();
  }
});

test('a stream over TLS is the same, and goes on after it was held back', async () => {
  const server = await ownServer(await anyBinaries(), { wal_level: 'logical' });
  try {
    const target = server.target({ host: 'localhost', tls: { mode: 'verify-full', ca: certificate } });
    const client = await openCaptureSession(target);
    await client.query("SELECT pg_create_logical_replication_slot('private', 'test_decoding')");
    const { position: from } = await readSlot(client, 'private');
    await client.query(
      'CREATE TABLE public.t AS SELECT n, repeat(md5(n::text), 20) FROM generate_series(1, 20000) AS n',
    );
    const { rows } = await client.query('SELECT pg_current_wal_flush_lsn()::text AS lsn');
    const request = { slot: 'private', encoding: 'UTF8', from, upto: rows[0].lsn, mostLines: null };
    const options = { target, onStreamRefused: refuse };
    const peeked = await textOf(
      openLineSource(client, { ...options, streamAfterBytes: Number.POSITIVE_INFINITY }),
      request,
    );
    let streamed = '';
    const slow = async (block: Buffer): Promise<void> => {
      await setTimeout(5);
      streamed += block.toString('latin1');
    };
    await openLineSource(client, { ...options, streamAfterBytes: 0 })(request, slow, never);
    expect(streamed.length).toBeGreaterThan(12_000_000);
    expect(streamed === peeked).toBe(true);
    await client.end();
  } finally {
    await server.remove();
  }
});
