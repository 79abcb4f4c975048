import type pg from 'pg';

const SYLLABLES = 'ka lo mi ter an be ro sti ne du vor al en gi hau pla sen tor ul we xi ya zo fer'.split(' ');
const WORDS = 5000;
const SENTENCES = 50_000;
const PRODUCTS = 20_000;

/** A small generator with a seed (mulberry32), so that every run makes the same text. */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Sentences of made-up words, a few of them frequent and most rare as in natural language. */
function sentences(random: () => number): string[] {
  const words = Array.from({ length: WORDS }, () =>
    Array.from({ length: 1 + Math.floor(random() * 3) }, () => SYLLABLES[Math.floor(random() * SYLLABLES.length)]).join(
      '',
    ),
  );
  return Array.from({ length: SENTENCES }, () =>
    Array.from({ length: 6 + Math.floor(random() * 14) }, () => words[Math.floor(WORDS * random() ** 3)]).join(' '),
  );
}

/**
 * Fills an empty database with what a shop's database holds: integers, numerics, timestamps, short and long text, jsonb, an
 * event log; primary keys, foreign keys and indexes. Text follows the frequencies of language, as neither random characters
 * nor one repeated phrase would say anything about compression.
 *
 * @param scale - 1 gives about 1 GB on disk, indexes included
 */
export async function fillBenchmarkDatabase(client: pg.Client, scale: number): Promise<void> {
  await client.query('SET synchronous_commit = off');
  await client.query('SELECT pg_catalog.setseed(0.42)');
  await client.query('CREATE TEMPORARY TABLE sentences (id int PRIMARY KEY, sentence text NOT NULL)');
  await client.query(
    'INSERT INTO sentences SELECT number, text FROM pg_catalog.unnest($1::text[]) WITH ORDINALITY AS s(text, number)',
    [sentences(randomNumbers(7))],
  );
  await client.query('ANALYZE sentences');
  for (const sql of statements(scale)) await client.query(sql);
}

function statements(scale: number): string[] {
  const rows = (count: number): number => Math.max(1, Math.round(count * scale));
  const customers = rows(200_000);
  const orders = rows(700_000);
  const sentence = (alias: string, step: number): string =>
    `JOIN sentences ${alias} ON ${alias}.id = 1 + (i * ${step}::bigint) % ${SENTENCES}`;
  return [
    `CREATE TABLE customers (id int PRIMARY KEY, name text NOT NULL, email text NOT NULL, country char(2) NOT NULL,
                             registered_at timestamptz NOT NULL, profile jsonb NOT NULL)`,
    `INSERT INTO customers
       SELECT i, initcap(split_part(a.sentence, ' ', 1) || ' ' || split_part(a.sentence, ' ', 2)),
              replace(left(a.sentence, 12), ' ', '.') || i || '@example.com',
              (ARRAY['DE','FR','GB','US','ES','IT','NL','PL'])[1 + i % 8],
              timestamptz '2020-01-01' + i * interval '7 minutes',
              jsonb_build_object('newsletter', i % 3 = 0, 'segment', (ARRAY['new','regular','vip'])[1 + i % 3],
                                 'city', initcap(split_part(a.sentence, ' ', 3)), 'visits', i % 97)
         FROM generate_series(1, ${customers}) AS i ${sentence('a', 7907)}`,
    `CREATE TABLE orders (id bigint PRIMARY KEY, customer_id int NOT NULL, status text NOT NULL, placed_at timestamptz NOT NULL,
                          total numeric(12, 2) NOT NULL, remark text, details jsonb NOT NULL)`,
    `INSERT INTO orders
       SELECT i, 1 + (random() * ${customers - 1})::int, (ARRAY['new','paid','shipped','delivered','returned'])[1 + i % 5],
              timestamptz '2022-01-01' + i * interval '41 seconds', (random() * 900)::numeric(12, 2),
              CASE WHEN i % 4 = 0 THEN a.sentence END,
              jsonb_build_object('channel', (ARRAY['web','app','store'])[1 + i % 3], 'coupon', i % 11 = 0,
                                 'items', 1 + i % 7, 'carrier', (ARRAY['dhl','ups','post'])[1 + i % 3])
         FROM generate_series(1, ${orders}) AS i ${sentence('a', 104_729)}`,
    `CREATE TABLE order_lines (order_id bigint NOT NULL, line int NOT NULL, product_id int NOT NULL, sku text NOT NULL,
                               description text NOT NULL, quantity smallint NOT NULL, price numeric(10, 2) NOT NULL,
                               PRIMARY KEY (order_id, line))`,
    `INSERT INTO order_lines
       SELECT o, l, p.id, 'SKU-' || lpad(p.id::text, 6, '0'), p.sentence, 1 + l % 3, 5 + (p.id * 37) % 9000 / 100.0
         FROM (SELECT o, l, 1 + (${PRODUCTS - 1} * power(random(), 3))::int AS product
                 FROM generate_series(1, ${orders}) AS o, generate_series(1, 2) AS l) AS line
         JOIN sentences p ON p.id = line.product
        ORDER BY o, l`,
    `CREATE TABLE reviews (id int PRIMARY KEY, product_id int NOT NULL, rating smallint NOT NULL, written_at timestamp NOT NULL,
                           title text NOT NULL, body text NOT NULL)`,
    `INSERT INTO reviews
       SELECT i, 1 + (i * 37) % ${PRODUCTS}, 1 + i % 5, timestamp '2023-01-01' + i * interval '3 minutes', a.sentence,
              concat_ws('. ', a.sentence, b.sentence, c.sentence, d.sentence)
         FROM generate_series(1, ${rows(260_000)}) AS i
              ${sentence('a', 7919)} ${sentence('b', 15_485_863)} ${sentence('c', 32_452_843)} ${sentence('d', 49_979_687)}`,
    // Visitors browse side by side: ten events of one session lie among those of 400 others, as in any event log.
    `CREATE TABLE events (id bigint PRIMARY KEY, at timestamptz NOT NULL, session uuid NOT NULL, kind text NOT NULL,
                          account int NOT NULL, payload jsonb NOT NULL)`,
    `INSERT INTO events
       SELECT i, timestamptz '2024-01-01' + i * interval '0.7 seconds', md5('session' || s)::uuid,
              (ARRAY['page_view','search','add_to_cart','checkout','login'])[1 + (random() * 4)::int], s % ${customers},
              jsonb_build_object('path', '/products/' || (${PRODUCTS} * power(random(), 3))::int,
                                 'address', concat_ws('.', 10, s % 256, s / 256 % 256, s * 7 % 256),
                                 'agent', 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/' || 100 + s % 30 || '.0.0.0 Safari/537.36',
                                 'campaign', replace(a.sentence, ' ', '-'), 'duration_ms', (random() * 3000)::int,
                                 'experiment', jsonb_build_object('name', 'layout', 'arm', s % 2))
         FROM (SELECT i, i / 4000 * 400 + i % 400 AS s FROM generate_series(1, ${rows(800_000)}) AS i) AS browsing
         JOIN sentences a ON a.id = 1 + (s * 86028121::bigint) % ${SENTENCES}
        ORDER BY i`,
    'CREATE INDEX orders_customer ON orders (customer_id)',
    'CREATE INDEX orders_placed_at ON orders (placed_at)',
    'CREATE INDEX order_lines_product ON order_lines (product_id)',
    'CREATE INDEX reviews_product ON reviews (product_id, rating)',
    'CREATE INDEX events_account ON events (account, at)',
    'CREATE UNIQUE INDEX customers_email ON customers (lower(email))',
    'CREATE INDEX customers_profile ON customers USING gin (profile jsonb_path_ops)',
    'ALTER TABLE orders ADD FOREIGN KEY (customer_id) REFERENCES customers',
    'ALTER TABLE order_lines ADD FOREIGN KEY (order_id) REFERENCES orders',
    'VACUUM ANALYZE',
  ];
}
