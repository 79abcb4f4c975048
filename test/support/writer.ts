import { setTimeout } from 'node:timers/promises';
import type pg from 'pg';
import type { ScratchDatabase } from './servers.ts';

const ACCOUNTS = 5000;

/** More than any test needs, so that a writer that nobody stops ends. */
const MAX_TRANSACTIONS = 50_000;

const tablesSql = `
CREATE TABLE accounts (id int PRIMARY KEY, balance bigint NOT NULL, sent bigint NOT NULL, filler text);
INSERT INTO accounts SELECT n, 1000, 0, repeat('account ' || n, 50) FROM generate_series(1, ${ACCOUNTS}) AS n;
CREATE TABLE transfers (id bigserial PRIMARY KEY, source int NOT NULL REFERENCES accounts, target int NOT NULL REFERENCES accounts,
  amount bigint NOT NULL, note text);
INSERT INTO transfers (source, target, amount, note)
  SELECT 1 + n % ${ACCOUNTS}, 1 + (n * 7) % ${ACCOUNTS}, 0, md5(n::text) || repeat('-', 100) FROM generate_series(1, 40000) AS n;
CREATE INDEX ON transfers (source);
CREATE TABLE settled (id bigint PRIMARY KEY, source int NOT NULL, amount bigint NOT NULL);
UPDATE accounts a SET sent = (SELECT count(*) FROM transfers t WHERE t.source = a.id);`;

/** One row, all true: what holds after each transaction of the writer, and not in between. */
export const invariantSql = `
SELECT (SELECT sum(balance) = ${ACCOUNTS * 1000} FROM accounts) AS total_is_constant,
       NOT EXISTS (SELECT FROM accounts a WHERE sent <> (SELECT count(*) FROM transfers t WHERE t.source = a.id)) AS sent_is_counted,
       NOT EXISTS (SELECT FROM transfers JOIN settled USING (id)) AS settled_is_gone`;

export const INVARIANT = { total_is_constant: true, sent_is_counted: true, settled_is_gone: true };

export interface Writer {
  /** Transactions committed until now. */
  readonly committed: number;
  /** Waits for some more transactions to be committed, or the writer's end. */
  more(transactions: number): Promise<void>;
  /**
   * Ends it after the transactions under way.
   *
   * @throws what a transaction failed with
   */
  stop(): Promise<void>;
}

/** Makes the tables that {@link startWriter} writes to: money in accounts, and some megabytes of transfers between them. */
export async function createAccounts(database: ScratchDatabase): Promise<void> {
  const client = await database.connect();
  await client.query(tablesSql);
  await client.end();
}

/** Keeps two sessions busy: each transaction updates accounts, inserts a transfer, and moves the oldest one elsewhere. */
export async function startWriter(database: ScratchDatabase): Promise<Writer> {
  const state = { committed: 0, stopped: false, ended: false };
  const clients = [await database.connect(), await database.connect()];
  const ended = Promise.allSettled(
    clients.map(async (client, index) => {
      try {
        for (let n = 0; !state.stopped && state.committed < MAX_TRANSACTIONS; n += 1) {
          await transfer(client, n * clients.length + index);
          state.committed += 1;
        }
      } finally {
        state.ended = true;
        await client.end();
      }
    }),
  );
  return {
    get committed() {
      return state.committed;
    },
    async more(transactions) {
      const enough = state.committed + transactions;
      while (state.committed < enough && !state.ended) await setTimeout(5);
    },
    async stop() {
      state.stopped = true;
      for (const result of await ended) if (result.status === 'rejected') throw result.reason;
    },
  };
}

async function transfer(client: pg.Client, n: number): Promise<void> {
  // The lower account is locked first, so that two sessions never wait for each other.
  const source = 1 + ((n * 7919) % (ACCOUNTS - 1));
  const target = source + 1 + ((n * 31) % (ACCOUNTS - source));
  const amount = 1 + (n % 50);
  await client.query('BEGIN');
  await client.query('UPDATE accounts SET balance = balance - $1, sent = sent + 1 WHERE id = $2', [amount, source]);
  await client.query('UPDATE accounts SET balance = balance + $1 WHERE id = $2', [amount, target]);
  await client.query(
    `INSERT INTO transfers (source, target, amount, note) VALUES ($1, $2, $3::int, repeat('note ', $3::int))`,
    [source, target, amount],
  );
  await client.query(
    `WITH oldest AS (DELETE FROM transfers WHERE id = (SELECT min(id) FROM transfers WHERE source = $1) RETURNING id, source, amount)
     INSERT INTO settled SELECT * FROM oldest`,
    [source],
  );
  await client.query('UPDATE accounts SET sent = sent - 1 WHERE id = $1', [source]);
  await client.query('COMMIT');
}
