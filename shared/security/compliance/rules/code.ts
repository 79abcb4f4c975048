import { quoteIdentifier } from '../../../postgres/identifiers.ts';
import { controlsOf } from '../controls.ts';
import { listRule, sql } from '../rule.ts';
import { namesIn } from './settings.ts';

/** Extensions that reach beyond the database, or past its protections. */
const risky = [
  'adminpack',
  'dblink',
  'file_fdw',
  'lo',
  'pageinspect',
  'pg_surgery',
  'pg_walinspect',
  'sslinfo',
  'xml2',
];

/** Functions, triggers and extensions. */
export const codeRules = [
  listRule({
    id: 'definer_search_path',
    title: 'Functions that run as their owner have a search_path',
    level: 'high',
    reads: 'functions',
    expected:
      'Every SECURITY DEFINER function has SET search_path, so that no caller can put an object in another’s place',
    controls: controlsOf('code', '4.5'),
    offenders: (functions) => functions.filter(({ definer, search_path }) => definer && search_path === null),
    name: ({ object }) => object,
    mend: ({ kind, object, schema }) =>
      sql(`ALTER ${kind} ${object} SET search_path = pg_catalog, ${schema}, pg_temp;`),
  }),
  listRule({
    id: 'definer_temporary_last',
    title: 'Functions that run as their owner look into pg_temp last',
    level: 'medium',
    reads: 'functions',
    expected:
      'pg_temp is the last of the search_path of every SECURITY DEFINER function: it comes first where it is not named',
    controls: controlsOf('code', '4.5'),
    offenders: (functions) =>
      functions.filter(
        ({ definer, search_path }) => definer && search_path !== null && namesIn(search_path).at(-1) !== 'pg_temp',
      ),
    name: ({ object }) => object,
    mend: ({ kind, object, search_path }) => {
      const path = [...namesIn(search_path ?? '').filter((name) => name !== 'pg_temp'), 'pg_temp'];
      return sql(`ALTER ${kind} ${object} SET search_path = ${path.map(quoteIdentifier).join(', ')};`);
    },
  }),
  listRule({
    id: 'definer_superuser',
    title: 'No function runs as a superuser for others',
    level: 'high',
    reads: 'functions',
    expected:
      'No SECURITY DEFINER function is owned by a superuser; else give it to a role that may do just what it does',
    controls: controlsOf('code', '4.5'),
    offenders: (functions) => functions.filter(({ definer, owner_is_superuser }) => definer && owner_is_superuser),
    name: ({ object, owner }) => `${object} of ${owner}`,
    mend: ({ kind, object }) => sql(`ALTER ${kind} ${object} SECURITY INVOKER;`),
  }),
  listRule({
    id: 'definer_public',
    title: 'Not everybody may run as another',
    level: 'medium',
    reads: 'functions',
    expected: 'PUBLIC has EXECUTE on no SECURITY DEFINER function',
    controls: controlsOf('code', '4.5'),
    offenders: (functions) => functions.filter((each) => each.definer && each.public),
    name: ({ object }) => object,
    mend: ({ kind, object }) => sql(`REVOKE EXECUTE ON ${kind} ${object} FROM PUBLIC;`),
  }),
  listRule({
    id: 'untrusted_functions',
    title: 'No function is in a language without bounds',
    level: 'high',
    reads: 'functions',
    expected: 'No function outside of extensions is in C or an untrusted language',
    controls: controlsOf('code', '4.5'),
    offenders: (functions) => functions.filter(({ untrusted }) => untrusted),
    name: ({ object, language }) => `${object} (${language})`,
    mend: ({ kind, object }) => sql(`DROP ${kind} ${object};`),
  }),
  listRule({
    id: 'untrusted_languages',
    title: 'No untrusted language is installed',
    level: 'medium',
    reads: 'languages',
    expected: 'No language without TRUSTED, such as plpython3u and plperlu',
    controls: controlsOf('code'),
    offenders: (languages) => languages,
    name: ({ name }) => name,
    mend: ({ name, extension }) =>
      sql(
        extension === null
          ? `DROP LANGUAGE ${quoteIdentifier(name)};`
          : `DROP EXTENSION ${quoteIdentifier(extension)};`,
      ),
  }),
  listRule({
    id: 'event_triggers_disabled',
    title: 'Every event trigger is on',
    level: 'medium',
    reads: 'eventTriggers',
    expected: 'No event trigger is disabled: they keep what happened to definitions',
    controls: controlsOf('audit'),
    offenders: (triggers) => triggers.filter(({ disabled }) => disabled),
    name: ({ name }) => name,
    mend: ({ name }) => sql(`ALTER EVENT TRIGGER ${quoteIdentifier(name)} ENABLE;`),
  }),
  listRule({
    id: 'event_trigger_owners',
    title: 'What event triggers run, superusers own',
    level: 'critical',
    reads: 'eventTriggers',
    expected:
      'The function of an event trigger is owned by a superuser: its owner can run as whoever changes a definition',
    controls: controlsOf('code', '4.3'),
    offenders: (triggers) =>
      triggers.filter(
        ({ owner, function_owner, function_owner_is_superuser }) =>
          !function_owner_is_superuser && owner !== function_owner,
      ),
    name: ({ name, function_owner }) => `${name} (of ${function_owner})`,
    mend: ({ function: run, owner }) => sql(`ALTER FUNCTION ${run} OWNER TO ${quoteIdentifier(owner)};`),
  }),
  listRule({
    id: 'triggers_disabled',
    title: 'Every trigger is on',
    level: 'low',
    reads: 'disabledTriggers',
    expected: 'No trigger of a table is disabled',
    controls: controlsOf('settings'),
    offenders: (triggers) => triggers,
    name: ({ name, table }) => `${name} on ${table}`,
    mend: ({ name, table }) => sql(`ALTER TABLE ${table} ENABLE TRIGGER ${quoteIdentifier(name)};`),
  }),
  listRule({
    id: 'extensions_outdated',
    title: 'Extensions are of the version that the server has',
    level: 'medium',
    reads: 'extensions',
    expected: 'ALTER EXTENSION ... UPDATE was run for every extension after an upgrade',
    controls: controlsOf('software', '6.1'),
    offenders: (extensions) =>
      extensions.filter(({ installed, available }) => available !== null && available !== installed),
    name: ({ name, installed, available }) => `${name} ${installed} (${available})`,
    mend: ({ name }) => sql(`ALTER EXTENSION ${quoteIdentifier(name)} UPDATE;`),
  }),
  listRule({
    id: 'extensions_risky',
    title: 'No extension reaches past the database',
    level: 'medium',
    reads: 'extensions',
    expected: `None of ${risky.join(', ')} is installed`,
    controls: controlsOf('software', '6.1'),
    offenders: (extensions) => extensions.filter(({ name }) => risky.includes(name)),
    name: ({ name }) => name,
    mend: ({ name }) => sql(`DROP EXTENSION ${quoteIdentifier(name)};`),
  }),
];
