import pg from 'pg';
import type { LocalPostgres } from '../postgres/server.ts';
import { sampleDatabase } from './sample.ts';

/** Orders that the workload adds before it begins to remove its oldest: a system left running stays small. */
const keptOrders = 5000;

const statements = [
  `WITH placed AS (
     INSERT INTO shop.orders (customer_id, ordered_at)
     SELECT id, now() FROM shop.customers OFFSET floor(random() * 5000) LIMIT 1 RETURNING id, ordered_at
   )
   INSERT INTO shop.order_items (order_id, ordered_at, line, product_id, quantity, price)
   SELECT placed.id, placed.ordered_at, 1, products.id, 1, products.price
   FROM placed, (SELECT id, price FROM shop.products OFFSET floor(random() * 1000) LIMIT 1) products`,
  'UPDATE shop.products SET stock = greatest(0, stock + floor(random() * 11)::int - 5) WHERE id = (SELECT 1 + floor(random() * 1000)::int)',
  `SELECT * FROM shop.products WHERE attributes @> '{"colour": "red"}' ORDER BY price LIMIT 20`,
  `SELECT id, stars FROM shop.reviews WHERE search @@ to_tsquery('english', 'lovely & quick') LIMIT 10`,
  'SELECT * FROM shop.customer_orders WHERE id = (SELECT 1 + floor(random() * 5000)::int)',
  `DELETE FROM shop.orders WHERE id < (SELECT max(id) FROM shop.orders) - 20000 - ${keptOrders} AND ordered_at > now() - interval '60 days'`,
];

/**
 * Keeps the sample database a little busy: one statement at a time, some four a second.
 *
 * @returns what ends it.
 */
export function runWorkload({ host, port, user, password }: LocalPostgres): () => Promise<void> {
  const pool = new pg.Pool({ host, port, user, password, database: sampleDatabase, max: 1, application_name: 'shop' });
  // A connection that breaks is replaced at the next statement.
  pool.on('error', () => {});
  let turn = 0;
  let current: Promise<unknown> = Promise.resolve();
  let busy = false;
  const timer = setInterval(() => {
    if (busy) return;
    busy = true;
    const statement = statements[turn % statements.length] ?? 'SELECT 1';
    turn += 1;
    current = pool
      .query(statement)
      .catch(() => {})
      .finally(() => {
        busy = false;
      });
  }, 250);
  return async () => {
    clearInterval(timer);
    await current;
    await pool.end();
  };
}
