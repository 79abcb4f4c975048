/** Large objects: empty, small, of 5 MB, with a hole; with owner, comment and privileges. */
export const largeObjectsSql = `
SELECT lo_create(41001);
SELECT lo_from_bytea(41002, 'small');
SELECT lo_from_bytea(41003, (SELECT string_agg(decode(md5(n::text), 'hex'), '') FROM generate_series(1, 327680) n));
SELECT lo_create(41004);
SELECT lo_put(41004, 3000000, 'after a hole');
SELECT lo_from_bytea(4294967295, '\\x00ff5c2e0a');
SELECT lo_from_bytea(41005, decode(repeat('5c', 2048), 'hex'));
ALTER LARGE OBJECT 41002 OWNER TO everything_owner;
COMMENT ON LARGE OBJECT 41002 IS 'it''s a large object; \\';
GRANT SELECT ON LARGE OBJECT 41003 TO everything_reader WITH GRANT OPTION;
GRANT SELECT, UPDATE ON LARGE OBJECT 41004 TO PUBLIC;
REVOKE UPDATE ON LARGE OBJECT 41005 FROM CURRENT_USER;
GRANT UPDATE ON LARGE OBJECT 41002 TO CURRENT_USER;
`;
