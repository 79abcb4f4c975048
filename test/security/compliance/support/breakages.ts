import { PutCommand } from '@aws-sdk/lib-dynamodb';
import { readSightings } from '../../../../shared/security/access/sightings.ts';
import type { World } from './world.ts';

/** Makes a rule fail. `ofInstance`: by what AWS says of an instance. */
type Breakage = ((world: World) => Promise<unknown>) & { ofInstance?: Record<string, unknown> };

const DAY_MS = 86_400_000;

/** Statements, each by itself. */
const sql =
  (...statements: string[]): Breakage =>
  (world) =>
    world.sql(...statements);
/** A setting of the server, which is started again where that takes it over. */
const setting =
  (name: string, value: string, restart = false): Breakage =>
  async (world) => {
    await world.sql(`ALTER SYSTEM SET ${name} = ${value}`, 'SELECT pg_reload_conf()');
    if (restart) await world.restart();
  };
const hba =
  (line: string): Breakage =>
  (world) =>
    world.addHba(line);
const nothing: Breakage = async () => undefined;
const settings =
  (change: Record<string, unknown>): Breakage =>
  (world) =>
    world.mend([{ by: 'api', statement: `PUT /security/settings ${JSON.stringify({ settings: change })}` }]);
const instance = (change: Record<string, boolean | number | string | string[]> = {}): Breakage =>
  Object.assign(
    async (world: World) => {
      world.database.kind = 'rds';
      world.database.instance_id = 'shop';
      await world.state.services.putInstance({ DBInstanceIdentifier: 'shop', ...change });
    },
    { ofInstance: change },
  );

/** By rule. Every rule has one. */
export const breakages: Record<string, Breakage> = {
  tls_enabled: setting('ssl', 'off'),
  tls_protocol: setting('ssl_min_protocol_version', "'TLSv1'"),
  tls_no_upper_protocol: setting('ssl_max_protocol_version', "'TLSv1.2'"),
  tls_ciphers: setting('ssl_ciphers', "'HIGH:MEDIUM:+3DES:!aNULL'"),
  tls_server_chooses: setting('ssl_prefer_server_ciphers', 'off'),
  tls_forced: setting('rds.force_ssl', '0'),
  tls_of_this_system: nothing,

  password_encryption: setting('password_encryption', 'md5'),
  scram_iterations: setting('scram_iterations', '1000'),
  password_check: nothing,
  passwords_as_md5: sql(
    'SET password_encryption = md5',
    "SET password_encryption = md5; CREATE ROLE with_md5 LOGIN PASSWORD 'a Long one 4 md5'",
  ),
  passwords_weakly_hashed: sql("SET scram_iterations = 1; CREATE ROLE weak LOGIN PASSWORD 'a Long one 4 scram'"),
  logins_end: sql('CREATE ROLE endless LOGIN'),
  logins_end_in_time: sql("CREATE ROLE distant LOGIN VALID UNTIL '2999-01-01'"),
  expired_logins: sql("CREATE ROLE expired LOGIN VALID UNTIL '2001-01-01'"),
  logins_without_password: sql('CREATE ROLE open_login LOGIN'),

  hba_trust: hba('host all nobody 127.0.0.1/32 trust'),
  hba_weak_method: hba('host all nobody 127.0.0.1/32 md5'),
  hba_plain_text: hba('host all nobody 10.0.0.0/8 scram-sha-256'),
  hba_open_range: hba('hostssl all nobody 0.0.0.0/0 scram-sha-256'),
  hba_replication: hba('hostssl replication all 10.0.0.0/8 scram-sha-256'),
  hba_errors: hba('host all nobody 127.0.0.1/32 nonsense'),
  listen_addresses: setting('listen_addresses', "'*'", true),
  authentication_timeout: setting('authentication_timeout', "'5min'"),
  auth_delay: nothing,
  socket_permissions: async (world) => {
    await world.sql("ALTER SYSTEM SET unix_socket_directories = '/tmp'");
    await setting('unix_socket_permissions', "'0777'", true)(world);
  },
  log_file_mode: setting('log_file_mode', "'0644'"),

  superusers: sql('CREATE ROLE too_mighty SUPERUSER'),
  bypassrls: sql('CREATE ROLE past_policies BYPASSRLS'),
  createrole: sql('CREATE ROLE maker CREATEROLE'),
  createdb: sql('CREATE ROLE builder CREATEDB'),
  replication: sql('CREATE ROLE copier LOGIN REPLICATION'),
  members_of_superusers: sql('CREATE ROLE nearly', 'GRANT postgres TO nearly'),
  rds_superusers: async (world) => {
    await instance({ MasterUsername: 'master' })(world);
    await world.sql('CREATE ROLE rds_superuser', 'CREATE ROLE mighty', 'GRANT rds_superuser TO mighty');
  },
  server_files: sql('CREATE ROLE "a ""reader"""', 'GRANT pg_read_server_files TO "a ""reader"""'),
  all_data: sql('CREATE ROLE all_reader', 'GRANT pg_read_all_data TO all_reader'),
  predefined_roles: sql('CREATE ROLE signaller', 'GRANT pg_signal_backend TO signaller'),
  admin_option: sql('CREATE ROLE a_group', 'CREATE ROLE chief', 'GRANT a_group TO chief WITH ADMIN OPTION'),
  connection_limits: sql('CREATE ROLE limitless LOGIN'),
  owners_log_in: sql(
    'CREATE ROLE app LOGIN',
    'CREATE TABLE public.of_app (id int)',
    'ALTER TABLE public.of_app OWNER TO app',
  ),
  lowered_settings: sql(
    'CREATE ROLE lowered',
    'ALTER ROLE lowered SET row_security = off',
    'ALTER DATABASE shop SET log_statement = none',
    'ALTER ROLE lowered IN DATABASE shop SET zero_damaged_pages = on',
    'ALTER ROLE ALL SET session_replication_role = replica',
  ),
  unused_logins: async (world) => {
    await world.sql('CREATE ROLE forgotten LOGIN');
    await world.readings();
    const long = Date.now() - 100 * DAY_MS;
    const sightings = await readSightings(world.state.table, 'shop');
    const item = { ...sightings, since: long, known_since: { ...sightings?.known_since, forgotten: long } };
    await world.state.table.documents.send(
      new PutCommand({ TableName: world.state.table.name, Item: { pk: 'LOGINS#shop', sk: 'LOGINS', ...item } }),
    );
  },

  public_schema_create: sql('GRANT CREATE ON SCHEMA public TO PUBLIC'),
  schemas_create: sql('CREATE SCHEMA "Another one"', 'GRANT CREATE ON SCHEMA "Another one" TO PUBLIC'),
  database_connect: sql('CREATE ROLE visitor LOGIN', 'GRANT CONNECT ON DATABASE shop TO PUBLIC'),
  database_temporary: sql('GRANT TEMPORARY ON DATABASE shop TO PUBLIC'),
  database_create: sql('GRANT CREATE ON DATABASE shop TO PUBLIC'),
  tables_public: sql(
    'CREATE TABLE public."Open Table" (id int, name text)',
    'GRANT SELECT, INSERT ON public."Open Table" TO PUBLIC',
    'GRANT UPDATE (name) ON public."Open Table" TO PUBLIC',
  ),
  sequences_public: sql(
    'CREATE SEQUENCE public.open_sequence',
    'GRANT USAGE ON SEQUENCE public.open_sequence TO PUBLIC',
  ),
  foreign_servers_public: sql(
    'CREATE EXTENSION postgres_fdw',
    'CREATE SERVER open_server FOREIGN DATA WRAPPER postgres_fdw',
    'GRANT USAGE ON FOREIGN SERVER open_server TO PUBLIC',
  ),
  grant_options: sql(
    'CREATE ROLE giver',
    'CREATE TABLE public.given (id int)',
    'GRANT SELECT ON public.given TO giver WITH GRANT OPTION',
  ),
  default_privileges: sql(
    'ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC',
    'ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT EXECUTE ON FUNCTIONS TO PUBLIC',
  ),
  default_functions: nothing,
  file_functions: sql(
    'CREATE ROLE file_reader',
    'GRANT EXECUTE ON FUNCTION pg_catalog.pg_read_file(text) TO file_reader',
    'GRANT EXECUTE ON FUNCTION pg_catalog.pg_ls_dir(text) TO PUBLIC',
  ),

  rls_off: sql('CREATE TABLE public.rows_a (id int)', 'CREATE POLICY p ON public.rows_a USING (id = 1)'),
  rls_without_policy: sql('CREATE TABLE public.rows_b (id int)', 'ALTER TABLE public.rows_b ENABLE ROW LEVEL SECURITY'),
  rls_open_policy: sql(
    'CREATE TABLE public.rows_c (id int)',
    'ALTER TABLE public.rows_c ENABLE ROW LEVEL SECURITY',
    'CREATE POLICY "all of it" ON public.rows_c USING (true)',
  ),
  rls_not_forced: sql(
    'CREATE ROLE row_owner LOGIN',
    'CREATE TABLE public.rows_d (id int)',
    'ALTER TABLE public.rows_d OWNER TO row_owner',
    'ALTER TABLE public.rows_d ENABLE ROW LEVEL SECURITY',
  ),
  rls_views: sql(
    'CREATE TABLE public.rows_e (id int)',
    'ALTER TABLE public.rows_e ENABLE ROW LEVEL SECURITY',
    'CREATE VIEW public.past AS SELECT * FROM public.rows_e',
  ),
  row_security: setting('row_security', 'off'),

  definer_search_path: sql(
    "CREATE FUNCTION public.d1(a int, b text[]) RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'",
  ),
  definer_temporary_last: sql(
    'CREATE FUNCTION public.d2() RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = public, "Another one" AS \'SELECT 1\'',
  ),
  definer_superuser: sql("CREATE PROCEDURE public.d3(inout a int) LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'"),
  definer_public: sql(
    "CREATE FUNCTION public.d4() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'",
    'GRANT EXECUTE ON FUNCTION public.d4() TO PUBLIC',
  ),
  untrusted_functions: sql(
    "CREATE FUNCTION public.in_c() RETURNS trigger LANGUAGE c AS '$libdir/refint', 'check_primary_key'",
  ),
  untrusted_languages: sql('CREATE LANGUAGE unbounded HANDLER pg_catalog.plpgsql_call_handler'),
  event_triggers_disabled: sql(
    'CREATE FUNCTION public.on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN END$$',
    'CREATE EVENT TRIGGER watched ON ddl_command_end EXECUTE FUNCTION public.on_ddl()',
    'ALTER EVENT TRIGGER watched DISABLE',
  ),
  event_trigger_owners: sql('CREATE ROLE schemer', 'ALTER FUNCTION public.on_ddl() OWNER TO schemer'),
  triggers_disabled: sql(
    'CREATE TABLE public.triggered (id int)',
    'CREATE TRIGGER "a trigger" BEFORE UPDATE ON public.triggered FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()',
    'ALTER TABLE public.triggered DISABLE TRIGGER "a trigger"',
  ),
  extensions_outdated: sql("CREATE EXTENSION hstore VERSION '1.4'"),
  extensions_risky: sql('CREATE EXTENSION pageinspect'),

  stored_passwords: sql(
    'CREATE SERVER other FOREIGN DATA WRAPPER postgres_fdw',
    "CREATE USER MAPPING FOR postgres SERVER other OPTIONS (user 'a', password 'b')",
  ),
  mapping_password_required: sql(
    'CREATE SERVER third FOREIGN DATA WRAPPER postgres_fdw',
    "CREATE USER MAPPING FOR postgres SERVER third OPTIONS (user 'a', password_required 'false')",
  ),
  mappings_of_public: sql('CREATE USER MAPPING FOR PUBLIC SERVER third'),
  foreign_tls: sql("CREATE SERVER plain FOREIGN DATA WRAPPER postgres_fdw OPTIONS (sslmode 'disable')"),

  log_connections: setting('log_connections', 'off'),
  log_disconnections: setting('log_disconnections', 'off'),
  log_checkpoints: setting('log_checkpoints', 'off'),
  log_lock_waits: setting('log_lock_waits', 'off'),
  log_replication_commands: setting('log_replication_commands', 'off'),
  log_hostname: setting('log_hostname', 'on'),
  debug_print_parse: setting('debug_print_parse', 'on'),
  debug_print_rewritten: setting('debug_print_rewritten', 'on'),
  debug_print_plan: setting('debug_print_plan', 'on'),
  log_statement: setting('log_statement', 'none'),
  log_line_prefix: setting('log_line_prefix', "'%m '"),
  log_is_read: async (world) => {
    world.database.log_group = '/postgresql/shop';
    await setting('log_line_prefix', "'%m [%p] %q%u@%d %h '")(world);
  },
  log_min_messages: setting('log_min_messages', 'fatal'),
  log_min_error_statement: setting('log_min_error_statement', 'panic'),
  log_error_verbosity: setting('log_error_verbosity', 'terse'),
  log_min_duration_statement: setting('log_min_duration_statement', '-1'),
  log_temp_files: setting('log_temp_files', '-1'),
  log_parameters_on_error: setting('log_parameter_max_length_on_error', '100'),
  log_parameters: setting('log_parameter_max_length', '-1'),
  logging_collector: nothing,
  log_truncate_on_rotation: setting('log_truncate_on_rotation', 'off'),
  log_rotation_age: setting('log_rotation_age', '0'),
  pgaudit_loaded: nothing,
  pgaudit_log: nothing,

  statement_timeout: setting('statement_timeout', '0'),
  lock_timeout: setting('lock_timeout', '0'),
  idle_in_transaction_session_timeout: sql('ALTER DATABASE shop SET idle_in_transaction_session_timeout = 0'),
  idle_session_timeout: setting('idle_session_timeout', '0'),
  transaction_timeout: setting('transaction_timeout', '0'),
  superuser_reserved_connections: setting('superuser_reserved_connections', '0', true),
  standard_conforming_strings: setting('standard_conforming_strings', 'off'),
  backslash_quote: setting('backslash_quote', 'on'),
  lo_compat_privileges: setting('lo_compat_privileges', 'on'),
  allow_system_table_mods: setting('allow_system_table_mods', 'on'),
  ignore_checksum_failure: setting('ignore_checksum_failure', 'on'),
  zero_damaged_pages: setting('zero_damaged_pages', 'on'),
  fsync: setting('fsync', 'off'),
  full_page_writes: setting('full_page_writes', 'off'),

  backup_age: (world) => world.addBackup(9, null),
  backup_proven: nothing,
  backup_schedule: (world) => world.setSchedule(null),
  backup_retention: (world) => world.mend([{ by: 'configuration', statement: '{"backups":{"retention_days":7}}' }]),
  recovery_on: (world) => world.setRecovery(true),
  backup_lock: nothing,
  backup_copies: (world) => world.failCopy('databases/shop/backups/x'),
  drills: nothing,

  bucket_public_access: nothing,
  bucket_encryption: nothing,
  bucket_versions: nothing,
  bucket_tls: nothing,
  key_rotation: nothing,
  secret_rotation: nothing,
  instance_encryption: instance({ StorageEncrypted: false }),
  engine_support: instance({ EngineVersion: '13.20' }),
  instance_authority: instance({ CACertificateIdentifier: 'rds-ca-2019' }),
  instance_public: instance({ PubliclyAccessible: true }),
  instance_backups: instance({ BackupRetentionPeriod: 1 }),
  instance_deletion: instance({ DeletionProtection: false }),
  instance_upgrades: instance({ AutoMinorVersionUpgrade: false }),
  instance_log: instance({ EnabledCloudwatchLogsExports: [] }),

  address_ranges: settings({ allowed_address_ranges: ['10.0.0.0/8', '::/0'] }),
  session_age: settings({ session_max_age_minutes: 10_080 }),
  audit_enabled: settings({ enable_audit: false }),
  audit_retention: settings({ max_audit_retention_days: 30 }),
  audit_chain: async (world) => {
    world.audit = { intact: false, found: 'Record 4 does not follow record 3' };
  },
  alert_mails: nothing,
};

/** Rules that are judged at another time than now, in days from it: what they look at grows old by itself. */
export const judgedLater: Record<string, number> = { secret_rotation: 100 };

/** Rules that an older server cannot break: it has not the setting, or refuses one of a library that is not there. */
export const breakableSince: Readonly<Record<string, number>> = {
  transaction_timeout: 17,
  pgaudit_log: 17,
  scram_iterations: 16,
  passwords_weakly_hashed: 16,
  all_data: 14,
  idle_session_timeout: 14,
};
