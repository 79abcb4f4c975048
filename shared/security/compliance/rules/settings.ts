import { platformOf } from '../../../platforms/platforms.ts';
import type { SqlSections } from '../readings/sql-sections.ts';
import { type Context, defineRule, fail, type Judgement, notApplicable, pass, type Rule, unknown } from '../rule.ts';

type Server = SqlSections['server'];
/** A list, where the setting is one of names: each is written for itself. */
type Value = string | readonly string[];

interface SettingRule extends Omit<Rule<'server'>, 'judge' | 'reads'> {
  /** The setting's name. */
  setting: string;
  /** Whether its value, as `pg_settings` writes it, is right. */
  isRight(value: string, server: Server): boolean;
  /** The value that mends it. */
  right: Value | ((value: string, server: Server, context: Context) => Value);
  /** Major version that brought the setting. */
  since?: number;
  /** Of servers that look after themselves alone: AWS keeps it otherwise. */
  selfManaged?: true;
}

/** A rule about one setting of the server. */
export function settingRule({ setting, isRight, right, since = 0, selfManaged, ...rule }: SettingRule): Rule<'server'> {
  return defineRule({
    ...rule,
    reads: 'server',
    judge(server, context): Judgement {
      if (server.version < since * 10_000) return notApplicable(`PostgreSQL ${since} brought ${setting}`);
      if (selfManaged && !platformOf(context.database).endpoints.hasFiles) return notApplicable('AWS looks after it');
      const known = server.settings[setting];
      if (!known) {
        if (!server.sees_all_settings) return unknown(`The login may not see ${setting}`);
        return notApplicable(`The server has no ${setting}`);
      }
      const found = `${setting} = ${known.value === '' ? "''" : known.value}`;
      if (isRight(known.value, server)) return pass(found);
      if (known.source === 'user' || known.source === 'database user') {
        return unknown(`${found} by a setting of the login of this system, which hides the server's`);
      }
      return failSetting(
        found,
        { name: setting, value: typeof right === 'function' ? right(known.value, server, context) : right },
        server,
        context,
      );
    },
  });
}

/** Whether a setting that is on or off is on. */
export const isOn = (value: string): boolean => value === 'on';
export const isOff = (value: string): boolean => value === 'off';
/** Whether a number lies within; negative numbers and 0 often mean without limit. */
export const within =
  (least: number, most = Number.POSITIVE_INFINITY) =>
  (value: string): boolean =>
    Number(value) >= least && Number(value) <= most;

/** The names in a list such as `shared_preload_libraries`. */
export const namesIn = (value: string): string[] =>
  value
    .split(',')
    .map((name) => name.trim().replaceAll(/^"|"$/g, ''))
    .filter((name) => name !== '');

/**
 * The failure of a setting with the steps that change it for the whole server, by what its platform takes. Not applicable where nobody
 * but the platform can change it: a rule must not fail for ever.
 */
export function failSetting(
  found: string,
  { name, value }: { name: string; value: Value },
  server: Server,
  { database, instance, parameters }: Context,
): Judgement {
  const platform = platformOf(database).parameters;
  const known = server.settings[name];
  const change = {
    name,
    values: typeof value === 'string' ? [value] : value,
    needsRestart: known?.context === 'postmaster' || name === 'shared_preload_libraries',
    known,
    databaseName: server.database,
    dataDirectory: server.settings.data_directory?.value ?? null,
  };
  const changed = platform.change(change, database, { server: instance, parameters });
  if (changed.is === 'impossible') return notApplicable(`${found}. ${changed.why}`);
  return fail(found + platform.note(instance), changed.steps);
}
