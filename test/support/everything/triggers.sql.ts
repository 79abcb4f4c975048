/** Triggers, rules, policies and event triggers. None changes what a restore loads, unless the restore lets it fire. */
export function triggersSql(version: number): string {
  return `
CREATE SCHEMA guards;
SET search_path = guards;
CREATE TABLE watched (id int PRIMARY KEY, t text, touched int DEFAULT 0);
CREATE TABLE log (n serial, what text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO guards.log (what) VALUES (TG_NAME || ' ' || TG_OP || ' ' || coalesce(TG_ARGV[0], ''));
  IF TG_LEVEL = 'ROW' AND TG_WHEN = 'BEFORE' AND TG_OP <> 'DELETE' THEN NEW.touched := NEW.touched + 1; END IF;
  RETURN coalesce(NEW, OLD);
END $$;
CREATE TRIGGER before_row BEFORE INSERT OR UPDATE OF t, id ON watched FOR EACH ROW WHEN (NEW.id <> 13) EXECUTE FUNCTION note(E'it''s \\\\ an argument', '2');
CREATE TRIGGER after_statement AFTER INSERT OR DELETE OR TRUNCATE ON watched FOR EACH STATEMENT EXECUTE FUNCTION note();
CREATE TRIGGER with_tables AFTER UPDATE ON watched REFERENCING OLD TABLE AS before NEW TABLE AS "After" FOR EACH STATEMENT EXECUTE FUNCTION note('tables');
CREATE CONSTRAINT TRIGGER later AFTER INSERT ON watched DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION note('constraint');
CREATE TRIGGER disabled BEFORE DELETE ON watched FOR EACH ROW EXECUTE FUNCTION note();
ALTER TABLE watched DISABLE TRIGGER disabled;
CREATE TRIGGER always AFTER INSERT ON watched FOR EACH ROW EXECUTE FUNCTION note('always');
ALTER TABLE watched ENABLE ALWAYS TRIGGER always;
CREATE TRIGGER replica AFTER INSERT ON watched FOR EACH ROW EXECUTE FUNCTION note('replica');
ALTER TABLE watched ENABLE REPLICA TRIGGER replica;
INSERT INTO watched VALUES (1, 'a'), (2, 'b'), (13, 'not touched');
UPDATE watched SET t = 'c' WHERE id = 2;

CREATE TABLE parts (k int, t text, touched int DEFAULT 0) PARTITION BY LIST (k);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);
CREATE TABLE parts_rest PARTITION OF parts DEFAULT;
CREATE TRIGGER on_parts BEFORE INSERT ON parts FOR EACH ROW EXECUTE FUNCTION note('parts');
ALTER TABLE parts_1 DISABLE TRIGGER on_parts;
INSERT INTO parts VALUES (1, 'x'), (2, 'y');

CREATE TABLE ruled (id int, t text);
CREATE TABLE ruled_log (id int, at text DEFAULT 'now; then');
CREATE RULE also AS ON INSERT TO ruled DO ALSO (INSERT INTO ruled_log (id) VALUES (NEW.id); NOTIFY "Chan;nel");
CREATE RULE nothing AS ON DELETE TO ruled WHERE OLD.id < 0 DO INSTEAD NOTHING;
CREATE RULE off AS ON UPDATE TO ruled DO INSTEAD DELETE FROM ruled_log WHERE id = OLD.id;
ALTER TABLE ruled DISABLE RULE off;
INSERT INTO ruled VALUES (1, 'a'), (2, 'b');
CREATE VIEW writable AS SELECT id, t FROM ruled WHERE id > 0;
CREATE RULE to_table AS ON INSERT TO writable DO INSTEAD INSERT INTO ruled VALUES (NEW.id, upper(NEW.t)) RETURNING id, t;
CREATE VIEW by_trigger AS SELECT id FROM ruled;
CREATE FUNCTION instead() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER instead_of INSTEAD OF INSERT ON by_trigger FOR EACH ROW EXECUTE FUNCTION instead();

CREATE TABLE secured (id int, owner name DEFAULT current_user, t text);
INSERT INTO secured VALUES (1, 'everything_reader', 'hers'), (2, 'someone', 'his');
ALTER TABLE secured ENABLE ROW LEVEL SECURITY;
ALTER TABLE secured FORCE ROW LEVEL SECURITY;
CREATE POLICY "own; rows" ON secured FOR SELECT TO everything_reader, everything_owner USING (owner = current_user);
CREATE POLICY checked ON secured AS RESTRICTIVE FOR INSERT WITH CHECK (id > 0 AND t <> E'\\\\');
CREATE POLICY everyone ON secured USING (EXISTS (SELECT FROM guards.log)) WITH CHECK (true);
CREATE TABLE enabled_only (id int);
INSERT INTO enabled_only VALUES (1);
ALTER TABLE enabled_only ENABLE ROW LEVEL SECURITY;
CREATE TABLE policy_not_enabled (id int);
CREATE POLICY idle ON policy_not_enabled FOR DELETE USING (id = 1);

CREATE FUNCTION on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN PERFORM 1; END';
CREATE EVENT TRIGGER "watch;er" ON ddl_command_end WHEN TAG IN ('CREATE TABLE', 'DROP TABLE') EXECUTE FUNCTION on_ddl();
CREATE EVENT TRIGGER disabled_watcher ON sql_drop EXECUTE FUNCTION on_ddl();
ALTER EVENT TRIGGER disabled_watcher DISABLE;
COMMENT ON EVENT TRIGGER "watch;er" IS 'about; it';
${version >= 15 ? 'ALTER TRIGGER on_parts ON parts RENAME TO on_all_parts;' : ''}
RESET search_path;
`;
}
