import type pg from 'pg';
import { listed } from '../../../listed.ts';
import type { PlannedRestore } from '../check-server.ts';
import type { Finding } from '../findings.ts';
import type { TailoredBackup } from '../tailor.ts';
import { extensionsSql, serverSql } from './facts.sql.ts';
import { extensionsOf, lossInWords, lossWithout } from './leave-out-extensions.ts';
import { type ExtensionFacts, type ExtensionRefusal, type ExtensionServer, NOT_INSTALLED, refusalOf } from './rules.ts';

interface Refused extends ExtensionRefusal {
  /** What goes with it, in words; null: nothing else. */
  loss: string | null;
}

/**
 * Looks which extensions of a backup the server would not create, and what would be lost without them.
 *
 * @returns those that the restore goes without by itself: in a drill all of them, as what can be restored there is what it is about;
 *   elsewhere those with which nothing else is lost
 */
export async function checkExtensions(
  client: pg.Client,
  backup: TailoredBackup,
  { mode, targetDatabase }: Pick<PlannedRestore, 'mode' | 'targetDatabase'>,
  { problems, warnings }: { problems: Finding[]; warnings: Finding[] },
): Promise<string[]> {
  const names = extensionsOf(backup);
  const server = (await client.query<ExtensionServer>(serverSql)).rows[0] as ExtensionServer;
  if (mode === 'swap' && server.cron_database === targetDatabase) problems.push(livesThere(targetDatabase));
  if (names.length === 0) return [];
  const { rows } = await client.query<ExtensionFacts>(extensionsSql, [names]);
  const refused = rows.flatMap((extension): Refused[] => {
    const refusal = refusalOf(extension, server);
    return refusal ? [{ ...refusal, loss: lossInWords(lossWithout(backup, extension.name)) }] : [];
  });
  if (mode === 'drill') {
    if (refused.length > 0) warnings.push(leftOutOf(refused));
    return refused.map(({ name }) => name);
  }
  const missing = refused.filter(({ kind }) => kind === 'missing');
  const needed = refused.filter(({ kind, loss }) => kind !== 'missing' && loss !== null);
  const untrusted = refused.filter(({ kind, loss }) => kind === 'untrusted' && loss === null);
  const dropped = refused.filter(({ kind, loss }) => kind === 'refused' && loss === null);
  if (untrusted.length > 0) {
    warnings.push({
      code: 'extension_not_created',
      message: `Only a superuser may create the extensions ${listed(untrusted.map(({ name }) => name))}: they are left out`,
      nextStep: 'Create them in the restored database as a superuser (rds_superuser on RDS and Aurora).',
    });
  }
  if (dropped.length > 0) warnings.push(leftOutOf(dropped));
  if (missing.length > 0) {
    const more = missing.filter(({ loss, reason }) => loss !== null || reason !== NOT_INSTALLED).map(inWords);
    problems.push({
      code: 'extension_missing',
      message: `The server does not have the extensions ${listed(missing.map(({ name }) => name))}${more.length > 0 ? `: ${listed(more)}` : ''}`,
      nextStep: `Install them on the server, or restore without them and what depends on them: ${leaveOutHint(missing)}.`,
    });
  }
  if (needed.length > 0) {
    problems.push({
      code: 'extension_refused',
      message: `The server would not create extensions that the backup needs: ${listed(needed.map(inWords))}`,
      nextStep: `Restore without them and what depends on them: ${leaveOutHint(needed)}.${remediesOf(needed)}`,
    });
  }
  return dropped.map(({ name }) => name);
}

function leftOutOf(refused: readonly Refused[]): Finding {
  return {
    code: 'extension_left_out',
    message: `Left out, as the server would not create them: ${listed(refused.map(inWords))}`,
    nextStep: 'Create them afterwards where that is possible; what depends on them is in the backup.',
  };
}

/** A swap has no session in the database that is replaced, and pg_cron keeps one there. */
function livesThere(database: string): Finding {
  return {
    code: 'cron_database',
    message: `pg_cron lives in "${database}" (cron.database_name): its launcher stays connected, and its jobs would be gone with the database that is replaced`,
    nextStep:
      'Restore into a new database and rename by hand, or let pg_cron live in another database first: set cron.database_name (the parameter group of RDS), restart, and schedule the jobs there with cron.schedule_in_database.',
  };
}

const inWords = ({ name, reason, loss }: Refused): string =>
  `${name} ${reason}${loss === null ? '' : `; with it go ${loss}`}`;

const leaveOutHint = (refused: readonly Refused[]): string =>
  `"leave_out": {"extensions": ${JSON.stringify(refused.map(({ name }) => name))}}`;

function remediesOf(refused: readonly Refused[]): string {
  return [
    refused.some(({ name }) => name === 'pg_cron')
      ? ' Schedule the jobs of pg_cron again in the database that it lives in; the backup has them as rows of cron.job.'
      : '',
    refused.some(({ reason }) => reason.includes('rds.allowed_extensions'))
      ? ' Or allow them in rds.allowed_extensions of the parameter group.'
      : '',
    refused.some(({ kind }) => kind === 'untrusted')
      ? ' Or restore with a login that may create them: a superuser, on RDS and Aurora a member of rds_superuser.'
      : '',
  ].join('');
}
