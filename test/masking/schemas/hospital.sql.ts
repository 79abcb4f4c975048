/** A hospital: what is told of patients, beside catalogs that sound alike. */
export const hospitalSql = `
CREATE TABLE wards (id serial PRIMARY KEY, name text NOT NULL, floor int, phone_extension int);
CREATE TABLE specialties (id serial PRIMARY KEY, name text NOT NULL, description text);
CREATE TABLE diagnosis_codes (code text PRIMARY KEY, title text NOT NULL, chapter text);
CREATE TABLE drugs (id serial PRIMARY KEY, name text NOT NULL, active_ingredient text, form text, manufacturer text);
CREATE TABLE insurers (id serial PRIMARY KEY, name text NOT NULL, plan_code text);
CREATE TABLE patients (
  id serial PRIMARY KEY,
  mrn text UNIQUE NOT NULL, -- personal
  "givenName" text NOT NULL, -- personal
  "familyName" text NOT NULL, -- personal
  sex char(1), -- personal
  dob date NOT NULL, -- personal
  ssn text, -- personal
  blood_type text, -- personal
  religion text, -- personal
  nationality text, -- personal
  street text, -- personal
  zip int, -- personal
  city text, -- personal
  home_phone bigint, -- personal
  mobile text, -- personal
  "eMail" text, -- personal
  insurance_number text, -- personal
  insurer_id int REFERENCES insurers,
  emergency_contact text, -- personal
  allergies text[], -- personal
  admitted_at timestamptz
);
CREATE TABLE doctors (
  id serial PRIMARY KEY,
  name text NOT NULL, -- personal
  specialty_id int REFERENCES specialties,
  licence_number text, -- personal
  pager text, -- personal
  salary numeric(10,2), -- personal
  on_call boolean
);
CREATE TABLE users (
  id serial PRIMARY KEY,
  login text NOT NULL, -- personal
  password_hash text NOT NULL, -- personal
  api_token text, -- personal
  last_ip inet, -- personal
  role text NOT NULL,
  password_changed_at timestamptz,
  locale text
);
CREATE TABLE visits (
  id serial PRIMARY KEY, patient_id int NOT NULL REFERENCES patients, ward_id int REFERENCES wards, began timestamptz, ended timestamptz,
  reason_code text,
  diagnosis text, -- personal
  notes text -- personal
);
CREATE TABLE lab_results (
  id serial PRIMARY KEY, patient_id int NOT NULL REFERENCES patients, test_code text, unit text,
  lab_result text, -- personal
  taken_at timestamptz
);
CREATE TABLE prescriptions (
  id serial PRIMARY KEY, patient_id int NOT NULL REFERENCES patients, drug_id int REFERENCES drugs,
  dosage text, -- personal
  status text
);
CREATE TABLE documents (
  id serial PRIMARY KEY, patient_id int NOT NULL REFERENCES patients, mime_type text, file_name text,
  content jsonb -- personal
);
CREATE TABLE equipment (id serial PRIMARY KEY, name text NOT NULL, serial_number text, remark text, mac_address text, room text);
CREATE TABLE rooms (id serial PRIMARY KEY, code text, name text, latitude double precision, longitude double precision);
CREATE TABLE settings (name text PRIMARY KEY, value text, description text);
CREATE TABLE audit_log (
  id serial PRIMARY KEY, at timestamptz, action text, table_name text,
  remote_addr text -- personal
);
INSERT INTO wards (name, floor, phone_extension) SELECT unnest(ARRAY['Cardiology', 'Surgery A', 'Maternity', 'St. Mary']), 1, 4711;
INSERT INTO specialties (name, description) VALUES ('Cardiology', 'Of the heart and of the vessels that lead to it and away from it'), ('Neurology', NULL);
INSERT INTO diagnosis_codes VALUES ('J45.0', 'Predominantly allergic asthma', 'X'), ('I10', 'Essential (primary) hypertension', 'IX'), ('G30', 'Alzheimer disease', 'VI');
INSERT INTO drugs (name, active_ingredient, form, manufacturer) VALUES ('Aspirin', 'acetylsalicylic acid', 'tablet', 'Bayer'), ('Zoloft', 'sertraline', 'tablet', 'Pfizer'), ('Yasmin', 'drospirenone', 'tablet', 'Bayer');
INSERT INTO insurers (name, plan_code) VALUES ('National Health', 'A1'), ('Blue Shield', 'B2');
INSERT INTO patients (mrn, "givenName", "familyName", sex, dob, ssn, blood_type, religion, nationality, street, zip, city, home_phone, mobile, "eMail", insurance_number, insurer_id, emergency_contact, allergies)
  SELECT 'MRN' || 100000 + n, (ARRAY['Maria', 'Ahmed', 'Wei', 'Olga'])[1 + n % 4], (ARRAY['Novak', 'Khan', 'Li', 'Berg'])[1 + n % 4], (ARRAY['f', 'm'])[1 + n % 2], date '1940-01-01' + n * 97,
         lpad((100 + n)::text, 3, '0') || '-' || 10 + n % 80 || '-' || 1000 + n, 'A+', 'none', 'Austrian', 'Lindengasse ' || n, 1010 + n, 'Wien', 4315880100 + n, '+43 660 1234' || n, 'p' || n || '@mail.example',
         '1237' || lpad(n::text, 6, '0'), 1, 'Anna Novak', ARRAY['penicillin', 'nuts'] FROM generate_series(1, 60) n;
INSERT INTO doctors (name, specialty_id, licence_number, pager, salary) SELECT 'Dr. ' || (ARRAY['Eva Braunstein', 'John Watson'])[1 + n % 2], 1, 'L-' || 55000 + n, '0699' || 1000 + n, 80000 FROM generate_series(1, 12) n;
INSERT INTO users (login, password_hash, api_token, last_ip, role) SELECT 'user' || n, '$2b$12$' || repeat('a', 53), 'tok_' || md5(n::text), ('10.1.0.' || n)::inet, 'nurse' FROM generate_series(1, 20) n;
INSERT INTO visits (patient_id, ward_id, reason_code, diagnosis, notes) SELECT n, 1, 'R07', 'asthma', 'The patient reports pain since Tuesday and was given rest' FROM generate_series(1, 50) n;
INSERT INTO lab_results (patient_id, test_code, unit, lab_result) SELECT n, 'HBA1C', '%', '5.' || n % 10 FROM generate_series(1, 50) n;
INSERT INTO prescriptions (patient_id, drug_id, dosage, status) SELECT n, 1, '1-0-1', 'open' FROM generate_series(1, 40) n;
INSERT INTO documents (patient_id, mime_type, file_name, content) SELECT n, 'application/json', 'letter.json', jsonb_build_object('contact', jsonb_build_object('email', 'd' || n || '@mail.example'), 'kind', 'letter') FROM generate_series(1, 30) n;
INSERT INTO equipment (name, serial_number, remark, mac_address, room) SELECT 'Infusion pump ' || n, 'SN' || 88000 + n, 'ok', '00:1b:63:84:45:e6', 'B' || n FROM generate_series(1, 30) n;
INSERT INTO rooms (code, name, latitude, longitude) SELECT 'R' || n, 'Room ' || n, 48.2, 16.3 FROM generate_series(1, 20) n;
INSERT INTO settings VALUES ('smtp_host', 'mail.internal', 'Where letters go'), ('theme', 'light', NULL);
INSERT INTO audit_log (at, action, table_name, remote_addr) SELECT now(), 'read', 'patients', '192.168.0.' || n FROM generate_series(1, 40) n;`;
