import { setTimeout } from 'node:timers/promises';
import type pg from 'pg';
import type { ScratchDatabase } from '../../support/servers.ts';
import { DEFINITIONS_LOCK } from './workload.sql.ts';

/** A small generator with a seed (mulberry32): a run that fails can be had again. */
export function randomNumbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4_294_967_296) * below);
  };
}

type Statements = (random: (below: number) => number, n: number, writer: number) => string[];

/** Each is one transaction. */
const transactions: Statements[] = [
  (r) => {
    const [from, to] = [1 + r(400), 1 + r(400)].sort((a, b) => a - b);
    return [
      `UPDATE accounts SET balance = balance - 1, changed = clock_timestamp() WHERE id = ${from}`,
      `UPDATE accounts SET balance = balance + 1 WHERE id = ${to}`,
      `INSERT INTO transfers (source, amount, note) SELECT id, ${r(1000)} / 3.0, repeat('n''ote ', ${r(4)}) FROM accounts WHERE id = ${from}`,
    ];
  },
  (r) => [
    `INSERT INTO transfers (source, amount) SELECT id, generate_series(1, ${1 + r(30)}) FROM accounts WHERE id = ${1 + r(400)}`,
  ],
  (r) => [`DELETE FROM transfers WHERE id % 97 = ${r(97)}`],
  (r) => [
    `UPDATE accounts SET mood = 'Odd "one"', details = details || '{"x": [1, null]}' WHERE balance % 50 = ${r(50)}`,
  ],
  // A key that changes, and rows that follow it; one that is deleted, and rows that go with it.
  (r) => [
    `UPDATE accounts SET id = id + 10000 WHERE id = ${1 + r(400)}`,
    `UPDATE accounts SET id = id - 10000 WHERE id > 10000`,
  ],
  (r) => [`DELETE FROM accounts WHERE id = ${1 + r(400)}`],
  (r) => [
    `INSERT INTO accounts VALUES (${1 + r(400)}, 5, 'it''s fine', '{}', 'null') ON CONFLICT (id) DO UPDATE SET balance = 6`,
  ],
  (r, n) => [
    `INSERT INTO pairs VALUES ('k${r(40)}', ${r(3)}.0, ${n}, repeat('${n % 10}', 9000), decode(repeat('ab', 5000), 'hex'))
       ON CONFLICT (b, a) DO UPDATE SET value = excluded.value`,
  ],
  (r) => [
    `UPDATE pairs SET value = value + 1 WHERE a = 'k${r(40)}'`,
    `UPDATE pairs SET big = NULL WHERE a = 'k${r(40)}'`,
  ],
  // Keys that are equal and differ in their text.
  (r) => [
    `UPDATE pairs SET b = b + 0.00, value = 0 WHERE a = 'k${r(40)}'`,
    `UPDATE pairs SET a = a || 'x' WHERE a = 'k${r(40)}'`,
  ],
  (r) => [
    `INSERT INTO keyless SELECT ${r(5)}, CASE WHEN n > 2 THEN 'x' END, '{"a":  1}', '(1,2)' FROM generate_series(1, ${1 + r(5)}) AS n`,
  ],
  (r) => [`UPDATE keyless SET b = 'y' WHERE ctid = (SELECT min(ctid) FROM keyless WHERE a = ${r(5)})`],
  (r) => [`DELETE FROM keyless WHERE ctid IN (SELECT ctid FROM keyless WHERE a = ${r(5)} LIMIT 2)`],
  (r, n, w) => [`INSERT INTO "Quoted ""table""" ("and, more", n) VALUES ('${w}-${n}''', ${r(9)})`],
  (r) => [
    `UPDATE "Quoted ""table""" SET n = n + 1, "and, more" = "and, more" || 'z' WHERE "Some key" % 7 = ${r(7)}`,
    `DELETE FROM "Quoted ""table""" WHERE "Some key" % 11 = ${r(11)}`,
  ],
  (r) => [
    `UPDATE parts SET region = CASE region WHEN 'north' THEN 'south' ELSE 'north' END, value = value + 1 WHERE id % 13 = ${r(13)}`,
  ],
  (r) => [
    `UPDATE parts SET id = id + 300 WHERE id = ${r(200)}`,
    `INSERT INTO by_mood SELECT mood, id FROM accounts WHERE mood IS NOT NULL AND id % 40 = ${r(40)} ON CONFLICT DO NOTHING`,
  ],
  (r) => [
    `UPDATE by_mood SET mood = 'calm' WHERE id % 5 = ${r(5)} AND NOT EXISTS (SELECT FROM by_mood b WHERE b.mood = 'calm' AND b.id = by_mood.id)`,
    `DELETE FROM by_mood WHERE id % 7 = ${r(7)}`,
  ],
  (r) => {
    const [a, b] = [1 + r(20), 1 + r(20)];
    return [
      `UPDATE swapped SET place = CASE id WHEN ${a} THEN (SELECT place FROM swapped WHERE id = ${b}) ELSE (SELECT place FROM swapped WHERE id = ${a}) END WHERE id IN (${a}, ${b})`,
      `DELETE FROM swapped WHERE id = ${a}`,
      `INSERT INTO swapped SELECT ${a}, coalesce(max(place), 0) + 1, coalesce(max(seat), 0) + 1 FROM swapped`,
    ];
  },
  (r) => {
    const at = r(500);
    return [
      `DELETE FROM booked WHERE during && '[${at},${at + 3})'`,
      `INSERT INTO booked VALUES (1, '[${at},${at + 3})')`,
    ];
  },
  (r) => [
    `INSERT INTO emptied (note) SELECT md5(n::text) FROM generate_series(1, ${1 + r(5)}) AS n`,
    'INSERT INTO emptied_too SELECT max(id), max(id) FROM emptied ON CONFLICT DO NOTHING',
  ],
  (r) => [
    r(4) === 0
      ? 'TRUNCATE emptied RESTART IDENTITY CASCADE'
      : r(2) === 0
        ? 'TRUNCATE emptied_too'
        : 'DELETE FROM emptied_too',
  ],
  // Part of it rolled back.
  (r) => [
    `UPDATE accounts SET balance = balance + 3 WHERE id = ${1 + r(400)}`,
    'SAVEPOINT s',
    'DELETE FROM keyless',
    `INSERT INTO parts VALUES (${1000 + r(1000)}, 'north', 1)`,
    'ROLLBACK TO SAVEPOINT s',
    'SAVEPOINT t',
    `INSERT INTO keyless VALUES (1, 'kept')`,
    'RELEASE SAVEPOINT t',
  ],
  () => ['DELETE FROM transfers', 'ROLLBACK AND CHAIN'],
];

/** The rarer ones: definitions, each sent alone. `n` makes names. */
const definitions: Statements[] = [
  (_, n) => [
    `CREATE TABLE made_${n} (id int PRIMARY KEY, v text DEFAULT 'x')`,
    `INSERT INTO made_${n} SELECT g FROM generate_series(1, 5) AS g`,
  ],
  (_, n) => [
    `CREATE TABLE copied_${n} AS SELECT id, balance, random() AS chance FROM accounts`,
    `ALTER TABLE copied_${n} ADD PRIMARY KEY (id)`,
    `UPDATE copied_${n} SET balance = 0 WHERE id < 9`,
  ],
  (_, n) => [
    `ALTER TABLE swapped ADD COLUMN added_${n} timestamptz NOT NULL DEFAULT clock_timestamp()`.replace(
      'clock_timestamp',
      'now',
    ),
    `UPDATE swapped SET added_${n} = '2000-01-01' WHERE id < 5`,
  ],
  (_, n) => [`CREATE INDEX made_index_${n} ON transfers (amount)`, `COMMENT ON TABLE transfers IS 'it''s ${n}'`],
  (_, n) => [
    `CREATE TEMPORARY TABLE passing_${n} ON COMMIT DROP AS SELECT 1 AS n`,
    `INSERT INTO accounts SELECT 500 + n, 0 FROM passing_${n} ON CONFLICT DO NOTHING`,
  ],
  (_, n) => [
    `CREATE TABLE parts_new_${n} (LIKE parts INCLUDING ALL)`,
    `INSERT INTO parts_new_${n} VALUES (1, 'w${n}', 1)`,
    `ALTER TABLE parts ATTACH PARTITION parts_new_${n} FOR VALUES IN ('w${n}')`,
    `UPDATE parts SET region = 'w${n}' WHERE id < 5 AND region = 'north' AND NOT EXISTS (SELECT FROM parts p WHERE p.region = 'w${n}' AND p.id = parts.id)`,
  ],
];

/** Failures of a transaction that the others are in the way of, or the rows that it meets. */
const PASSING = new Set(['40P01', '40001', '23505', '23503', '23P01', '55P03', '23514', '42P01']);

async function runTransaction(
  client: pg.Client,
  statements: readonly string[],
  prepared: string | null,
): Promise<boolean> {
  try {
    await client.query('BEGIN');
    for (const statement of statements) await client.query(statement);
    if (prepared === null) await client.query('COMMIT');
    else {
      await client.query(`PREPARE TRANSACTION '${prepared}'`);
      await client.query(`${statements.length % 3 === 0 ? 'ROLLBACK' : 'COMMIT'} PREPARED '${prepared}'`);
    }
    return true;
  } catch (error) {
    await client.query('ROLLBACK');
    if (!PASSING.has((error as { code?: string }).code ?? '')) throw error;
    return false;
  }
}

export interface Workload {
  readonly committed: number;
  /** Lets the writers try some more transactions and waits for their ends, or a writer's failure. */
  more(transactions: number): Promise<void>;
  /** Ends it after the transactions under way, and throws what one failed with. */
  stop(): Promise<void>;
}

/** Keeps writers busy with everything that a replay has to get right. */
export async function startWorkload(
  database: ScratchDatabase,
  { writers, seed }: { writers: number; seed: number },
): Promise<Workload> {
  const state = { committed: 0, allowed: 0, begun: 0, ended: 0, stopped: false, failed: false };
  const clients = await Promise.all(Array.from({ length: writers }, () => database.connect()));
  const ended = Promise.allSettled(
    clients.map(async (client, writer) => {
      const random = randomNumbers(seed + writer);
      await client.query("SET lock_timeout = '5s'; SET deadlock_timeout = '50ms'");
      try {
        for (let n = 0; !state.stopped; n += 1) {
          while (state.begun >= state.allowed && !state.stopped) await setTimeout(1);
          state.begun += 1;
          const name = n * writers + writer;
          const isDefinition = random(60) === 0;
          const pick = isDefinition
            ? definitions[random(definitions.length)]
            : transactions[random(transactions.length)];
          const statements = pick?.(random, name, writer) ?? [];
          const prepared = !isDefinition && random(12) === 0 ? `${database.name} ${name}` : null;
          const locked = isDefinition
            ? [`SELECT pg_advisory_xact_lock(${DEFINITIONS_LOCK})`, ...statements]
            : statements;
          if (await runTransaction(client, locked, prepared)) state.committed += 1;
          state.ended += 1;
        }
      } catch (error) {
        state.failed = true;
        throw error;
      } finally {
        await client.end();
      }
    }),
  );
  return {
    get committed() {
      return state.committed;
    },
    async more(transactions) {
      state.allowed += transactions;
      // Not all of them: others are under way when the caller looks.
      while (state.ended < state.allowed - clients.length && !state.failed) await setTimeout(2);
    },
    async stop() {
      state.stopped = true;
      for (const result of await ended) if (result.status === 'rejected') throw result.reason;
    },
  };
}
