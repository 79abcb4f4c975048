import { type AnyCheck, configure, defineCheck, sql } from '../check.ts';
import { quoteForPaste, quoteForReading } from '../quote-for-paste.ts';
import { changeSetting, grantRole } from '../remediate.ts';

const MEBIBYTES_OF_GIBIBYTE = 1024;

/** What lets changes be captured. */
export const recoveryChecks: readonly AnyCheck[] = [
  defineCheck({
    id: 'wal_level_too_low',
    title: 'The log does not hold changes of rows',
    needs: '`wal_level = logical` (`rds.logical_replication = 1`)',
    affects: { stops: ['recovery'] },
    reads: ['server'],
    find({ server }, context) {
      const level = server.settings.wal_level?.value ?? 'not shown';
      if (level === 'logical') return null;
      const isManaged = context.platform.privileges.administrators !== null;
      const pending = server.settings[isManaged ? 'rds.logical_replication' : 'wal_level']?.pending_restart
        ? '. It is set already and waits for a restart'
        : '';
      return {
        message: `wal_level is ${level}, and must be logical${pending}`,
        remediation: isManaged
          ? changeSetting('rds.logical_replication', '1', server, context)
          : changeSetting('wal_level', 'logical', server, context),
      };
    },
  }),
  defineCheck({
    id: 'replication_refused',
    title: 'The login may not use replication slots',
    needs: '`REPLICATION`, on RDS and Aurora `rds_replication`',
    affects: { stops: ['recovery'] },
    reads: ['login'],
    find({ login }, context) {
      if (login.replicates || login.has_roles.includes('rds_replication')) return null;
      const { allowReplication } = context.platform.privileges;
      const statement = allowReplication(login.name).replace(/;?$/, ';');
      return {
        message: `${quoteForReading(login.name)} may not use replication slots`,
        remediation: sql(context, statement),
      };
    },
  }),
  defineCheck({
    id: 'no_free_slot',
    title: 'All replication slots are in use',
    needs: 'a free replication slot (`max_replication_slots`)',
    affects: { limits: ['recovery'] },
    reads: ['server', 'replication'],
    find({ server, replication }, context) {
      const most = Number(server.settings.max_replication_slots?.value ?? Number.NaN);
      if (!(replication.slots >= most)) return null;
      return {
        message: `All ${most} replication slots are in use: none can be made anew`,
        remediation: changeSetting('max_replication_slots', String(most + 5), server, context),
      };
    },
  }),
  defineCheck({
    id: 'no_free_sender',
    title: 'All senders of the log are in use',
    needs: 'a free sender (`max_wal_senders`), for streaming many changes',
    affects: { limits: ['recovery'] },
    reads: ['server', 'replication'],
    find({ server, replication }, context) {
      const most = Number(server.settings.max_wal_senders?.value ?? Number.NaN);
      if (!(replication.senders >= most)) return null;
      return {
        message: `All ${most} senders (max_wal_senders) are in use: many changes are read in the costlier way`,
        remediation: changeSetting('max_wal_senders', String(most + 5), server, context),
      };
    },
  }),
  defineCheck({
    id: 'log_not_limited',
    title: 'A slot that nobody reads may fill the disk',
    needs: '`max_slot_wal_keep_size`; on RDS recovery is refused without it',
    affects: { limits: ['recovery'] },
    reads: ['server'],
    find({ server }, context) {
      if (server.settings.max_slot_wal_keep_size?.value !== '-1') return null;
      const { database, configuration } = context;
      const gigabytes = database.max_retained_wal_gigabytes ?? configuration.recovery.max_retained_wal_gigabytes;
      // Beyond where this system itself gives the slot up.
      const megabytes = Math.ceil(2 * gigabytes * MEBIBYTES_OF_GIBIBYTE);
      return {
        message:
          'max_slot_wal_keep_size is not set: where this system cannot drop its slot, the server keeps log until its disk is full',
        remediation: changeSetting('max_slot_wal_keep_size', String(megabytes), server, context),
        ...(context.platform.replication.unlimitedSlots === null ? {} : { affects: { stops: ['recovery'] } }),
      };
    },
  }),
  defineCheck({
    id: 'pausing_excluded',
    title: 'A database that may pause is not captured',
    needs: 'a database without `allow_pause`: a slot, and a capture each minute, keep it awake',
    affects: { stops: ['recovery'] },
    reads: [],
    find(_facts, { database }) {
      if (!database.allow_pause) return null;
      return {
        message: 'allow_pause is set, which excludes point-in-time recovery',
        remediation: configure('allow_pause: false'),
      };
    },
  }),
  defineCheck({
    id: 'definitions_not_followed',
    title: 'Changes of definitions end the recovery window',
    needs:
      'the right to create event triggers, and a schema for their functions: a superuser, on RDS and Aurora `rds_superuser` with `CREATE` on the database. The documented login does not have it',
    affects: { notes: ['recovery'] },
    reads: ['login', 'server'],
    find({ login, server }, context) {
      const { administrators } = context.platform.privileges;
      if (login.superuser || (administrators !== null && login.has_roles.includes(administrators))) {
        if (login.creates_schemas) return null;
        return {
          message: `${quoteForReading(login.name)} may create no schema in the database for the functions of event triggers: a change of definitions ends the window, and a full backup begins by itself`,
          remediation: sql(
            context,
            `GRANT CREATE ON DATABASE ${quoteForPaste(context.database.name)} TO ${quoteForPaste(login.name)};`,
          ),
        };
      }
      return {
        message: `${quoteForReading(login.name)} may not create event triggers: a change of definitions ends the window, and a full backup begins by itself. Give it more rights only where changes of definitions are to be repeated`,
        remediation: sql(
          context,
          administrators === null
            ? `ALTER ROLE ${quoteForPaste(login.name)} SUPERUSER;`
            : grantRole(administrators, { login, version: server.version }),
        ),
      };
    },
  }),
  defineCheck({
    id: 'streaming_refused',
    title: 'IAM logins cannot stream changes',
    needs: '`rds.iam_auth_for_replication = 1`, where the login signs in with IAM',
    affects: { limits: ['recovery'] },
    reads: ['server'],
    find({ server }, context) {
      const name = 'rds.iam_auth_for_replication';
      const asked = context.platform.replication.iamSetting === name && context.database.login.type === 'iam';
      if (!asked || ['on', '1'].includes(server.settings[name]?.value ?? '')) return null;
      return {
        message: `${name} is off: with an IAM login, many changes are read in the costlier way`,
        remediation: changeSetting(name, '1', server, context),
      };
    },
  }),
];
