/** Fills the shop with some 120,000 rows, the same at every first start but for the dates. */
export const dataSql = `
SET search_path = shop, public;
SELECT setseed(0.42);

INSERT INTO customers (name, email, preferences, created_at)
SELECT (ARRAY['Ada','Grace','Edsger','Barbara','Donald','Margaret','Alan','Frances','Edgar','Radia'])[1 + n % 10] || ' '
    || (ARRAY['Meyer','Silva','Novak','Okafor','Tanaka','Dubois','Larsen','Rossi','Kowalski','Haddad','Byrne'])[1 + n % 11],
  'customer' || n || '@example.com',
  jsonb_build_object('newsletter', n % 3 = 0, 'language', (ARRAY['en','de','fr','pl'])[1 + n % 4]),
  now() - (n % 700) * interval '1 day'
FROM generate_series(1, 5000) n;

INSERT INTO addresses (customer_id, kind, street, city, postal_code, country)
SELECT 1 + (n - 1) % 5000, CASE WHEN n > 5000 THEN 'billing' ELSE 'shipping' END, (n % 200 + 1) || ' Market Street',
  (ARRAY['Lisbon','Berlin','Kraków','Dublin','Lyon','Oslo','Torino'])[1 + n % 7], lpad((n * 37 % 100000)::text, 5, '0'),
  (ARRAY['PT','DE','PL','IE','FR','NO','IT'])[1 + n % 7]
FROM generate_series(1, 7000) n;

INSERT INTO products (sku, name, attributes, tags, price, stock)
SELECT 'SKU-' || lpad(n::text, 5, '0'),
  (ARRAY['Chair','Lamp','Kettle','Backpack','Notebook','Bicycle bell','Headphones','Mug'])[1 + n % 8] || ' No. ' || n,
  jsonb_build_object('colour', (ARRAY['red','green','blue','black'])[1 + n % 4], 'weight_grams', 50 + n * 13 % 5000, 'size', jsonb_build_array(n % 40, n % 30, n % 20)),
  ARRAY[(ARRAY['home','office','outdoor'])[1 + n % 3], CASE WHEN n % 5 = 0 THEN 'sale' ELSE 'regular' END],
  round((3 + n * 7.13 % 400)::numeric, 2), n * 17 % 500
FROM generate_series(1, 1000) n;

INSERT INTO orders (customer_id, status, ordered_at)
SELECT 1 + floor(random() * 5000)::int, (ARRAY['placed','paid','shipped','delivered','delivered','delivered','returned','cancelled'])[1 + n % 8]::order_status,
  now() - random() * interval '330 days'
FROM generate_series(1, 20000) n;

INSERT INTO order_items (order_id, ordered_at, line, product_id, quantity, price)
SELECT o.id, o.ordered_at, line, p.id, 1 + (o.id + line) % 4, p.price
FROM orders o
CROSS JOIN generate_series(1, 3) line
JOIN products p ON p.id = 1 + (o.id * 31 + line * 17) % 1000
WHERE line <= 1 + o.id % 3;

UPDATE orders SET total = sums.total
FROM (SELECT order_id, sum(quantity * price) AS total FROM order_items GROUP BY order_id) sums WHERE sums.order_id = orders.id;

INSERT INTO payments (order_id, ordered_at, amount, method, paid_at)
SELECT id, ordered_at, total, (ARRAY['card','transfer','voucher'])[1 + id % 3], ordered_at + interval '5 minutes'
FROM orders WHERE status NOT IN ('placed', 'cancelled');

INSERT INTO reviews (product_id, customer_id, stars, body, written_at)
SELECT 1 + n * 13 % 1000, 1 + n * 7 % 5000, 1 + n % 5,
  'It is ' || (ARRAY['good','too small','lovely','broken on arrival','exactly as described'])[1 + n % 5] || ', and the delivery was ' || (ARRAY['quick','slow','fine'])[1 + n % 3] || '. ' || repeat('I would buy it again. ', n % 4),
  now() - (n % 300) * interval '1 day'
FROM generate_series(1, 8000) n;

REFRESH MATERIALIZED VIEW best_sellers;
ANALYZE;
`;
