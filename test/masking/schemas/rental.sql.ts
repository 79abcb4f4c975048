/** A rental shop, in the manner of Pagila. Columns that hold personal data are marked. */
export const rentalSql = `
CREATE TABLE country (country_id serial PRIMARY KEY, country text NOT NULL, last_update timestamptz DEFAULT now());
CREATE TABLE city (city_id serial PRIMARY KEY, city text NOT NULL, country_id int REFERENCES country, last_update timestamptz DEFAULT now());
CREATE TABLE address (
  address_id serial PRIMARY KEY,
  address text NOT NULL, -- personal
  address2 text, -- personal
  district text NOT NULL,
  city_id int REFERENCES city,
  postal_code text, -- personal
  phone text NOT NULL -- personal
);
CREATE TABLE store (store_id serial PRIMARY KEY, manager_staff_id int, address_id int REFERENCES address);
CREATE TABLE customer (
  customer_id serial PRIMARY KEY,
  store_id int REFERENCES store,
  first_name text NOT NULL, -- personal
  last_name text NOT NULL, -- personal
  email text UNIQUE, -- personal
  address_id int REFERENCES address,
  activebool boolean DEFAULT true,
  create_date date DEFAULT current_date,
  active int
);
CREATE TABLE staff (
  staff_id serial PRIMARY KEY,
  first_name text NOT NULL, -- personal
  last_name text NOT NULL, -- personal
  email text CHECK (email ~ '@'), -- personal
  username varchar(16) NOT NULL UNIQUE, -- personal
  password varchar(60), -- personal
  active boolean DEFAULT true,
  picture bytea
);
CREATE TABLE actor (
  actor_id serial PRIMARY KEY,
  first_name varchar(45) NOT NULL, -- personal
  last_name varchar(45) NOT NULL, -- personal
  last_update timestamptz DEFAULT now()
);
CREATE TABLE category (category_id serial PRIMARY KEY, name text NOT NULL UNIQUE);
CREATE TABLE language (language_id serial PRIMARY KEY, name char(20) NOT NULL);
CREATE TABLE film (
  film_id serial PRIMARY KEY, title text NOT NULL, description text, release_year int, language_id int REFERENCES language,
  rental_duration smallint, rental_rate numeric(4,2), length smallint, replacement_cost numeric(5,2), rating text,
  special_features text[], fulltext tsvector
);
CREATE TABLE film_actor (actor_id int REFERENCES actor, film_id int REFERENCES film, PRIMARY KEY (actor_id, film_id));
CREATE TABLE film_category (film_id int REFERENCES film, category_id int REFERENCES category);
CREATE TABLE inventory (inventory_id serial PRIMARY KEY, film_id int REFERENCES film, store_id int REFERENCES store);
CREATE TABLE rental (
  rental_id serial PRIMARY KEY, rental_date timestamptz, inventory_id int REFERENCES inventory, customer_id int REFERENCES customer,
  return_date timestamptz, staff_id int REFERENCES staff
);
CREATE TABLE payment (payment_id serial, customer_id int REFERENCES customer, amount numeric(5,2), payment_date timestamptz) PARTITION BY RANGE (payment_date);
CREATE TABLE payment_p1 PARTITION OF payment DEFAULT;
CREATE TABLE newsletter (
  newsletter_id serial PRIMARY KEY,
  subscriber_email text REFERENCES customer (email), -- personal
  email_template text,
  email_verified boolean,
  sent_at timestamptz
);
INSERT INTO country (country) SELECT unnest(ARRAY['Austria', 'Brazil', 'Japan', 'Georgia', 'Chad', 'Jordan']);
INSERT INTO city (city, country_id) SELECT unnest(ARRAY['Vienna', 'Sao Paulo', 'Osaka', 'Atlanta', 'Santiago', 'Victoria']), 1;
INSERT INTO address (address, address2, district, city_id, postal_code, phone)
  SELECT n || ' Fisher Drive', NULL, 'Alberta', 1, (10000 + n * 37)::text, (28303384290 + n * 7919)::text FROM generate_series(1, 60) n;
INSERT INTO store (manager_staff_id, address_id) VALUES (1, 1), (2, 2);
INSERT INTO customer (store_id, first_name, last_name, email, address_id)
  SELECT 1, (ARRAY['MARY', 'PATRICIA', 'LINDA', 'BARBARA'])[1 + n % 4], 'SMITH' || chr(65 + n % 26), 'customer' || n || '@example.org', n FROM generate_series(1, 60) n;
INSERT INTO staff (first_name, last_name, email, username, password)
  VALUES ('Mike', 'Hillyer', 'mike@example.org', 'Mike', '8cb2237d0679ca88db6464eac60da96345513964'), ('Jon', 'Stephens', 'jon@example.org', 'Jon', NULL);
INSERT INTO actor (first_name, last_name) SELECT (ARRAY['PENELOPE', 'NICK', 'ED'])[1 + n % 3], 'GUINESS' || chr(65 + n % 26) FROM generate_series(1, 50) n;
INSERT INTO category (name) SELECT unnest(ARRAY['Action', 'Animation', 'Children', 'Classics', 'Comedy', 'Sports', 'Travel']);
INSERT INTO language (name) SELECT unnest(ARRAY['English', 'Italian', 'Japanese', 'French']);
INSERT INTO film (title, description, language_id, rating, special_features, fulltext)
  SELECT 'ACADEMY DINOSAUR ' || n, 'A epic drama of a feminist and a mad scientist who must battle a teacher in the Canadian Rockies', 1, 'PG', ARRAY['Trailers', 'Deleted Scenes'], to_tsvector('simple', 'epic drama')
    FROM generate_series(1, 80) n;
INSERT INTO inventory (film_id, store_id) SELECT n, 1 FROM generate_series(1, 50) n;
INSERT INTO rental (rental_date, inventory_id, customer_id, staff_id) SELECT now(), n, n, 1 FROM generate_series(1, 50) n;
INSERT INTO payment (customer_id, amount, payment_date) SELECT n, 2.99, now() FROM generate_series(1, 50) n;
INSERT INTO newsletter (subscriber_email, email_template) SELECT 'customer' || n || '@example.org', 'spring' FROM generate_series(1, 30) n;`;
