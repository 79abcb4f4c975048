import type { Finding } from '../backup/restore/findings.ts';
import type { Database } from '../configuration/runtime.ts';
import type { RestoreBody } from '../contract/schemas/restore.ts';
import { type Caller, reaches } from '../http/caller.ts';
import { Refusal } from '../http/problem.ts';
import { invalidRequest } from '../http/read-request.ts';
import { areOnOneServer } from '../postgres/target.ts';
import type { RestoreTarget } from './restore-target.ts';

type Wanted = Pick<RestoreBody, 'mode' | 'confirm_unmanaged'>;
type Target = Pick<RestoreTarget, 'managed' | 'server' | 'targetDatabase'>;

const FIELD = 'confirm_unmanaged';

/**
 * What is to be said of a restore that changes a database which this system does not manage: nobody has backups of it here, and whoever owns it may
 * not know of this system. To replace one, its name must be sent once more.
 */
export function unmanagedTarget(
  { managed, server, targetDatabase }: Target,
  { mode, confirm_unmanaged: confirmed }: Wanted,
): { problems: Finding[]; warnings: Finding[] } {
  if (managed || mode === 'new') return { problems: [], warnings: [] };
  const does = mode === 'swap' ? 'replaces' : mode === 'data' ? 'loads rows into' : 'adds tables to';
  const finding: Finding = {
    code: 'target_not_managed',
    message: `The restore ${does} "${targetDatabase}" on the server of ${server.id}, a database that this system does not manage: it has no backups of it`,
    nextStep: `Make sure that it is the one you mean${mode === 'swap' ? `; then send "${FIELD}": ${JSON.stringify(targetDatabase)}` : ''}.`,
  };
  const isRefused = mode === 'swap' && confirmed !== targetDatabase;
  return isRefused ? { problems: [finding], warnings: [] } : { problems: [], warnings: [finding] };
}

/**
 * Holds a caller whose roles are limited to some databases to these: a restore changes no other one, and copies none.
 *
 * @throws Refusal 403 `database_not_allowed`
 */
export function assertTargetAllowed(
  { managed, server, targetDatabase }: Target,
  { mode, expect }: Pick<RestoreBody, 'mode' | 'expect'>,
  caller: Pick<Caller, 'databases'>,
  databases: readonly Database[],
): void {
  if (caller.databases === null) return;
  const refused = (what: string, field: string): Refusal =>
    new Refusal(
      'database_not_allowed',
      `The restore would ${what}, which your roles are not for`,
      'Name one of your databases, or ask an administrator for access.',
      { errors: [{ field, message: 'is a database that your roles are not for' }] },
    );
  if (mode !== 'new' && !(managed && reaches(caller, managed.id)))
    throw refused(`change the database "${targetDatabase}"`, 'body.target_database');
  if (expect === undefined) return;
  const template = databases.find((each) => each.name === expect.template && areOnOneServer(each, server));
  if (!(template && reaches(caller, template.id)))
    throw refused(`copy the database "${expect.template}"`, 'body.expect.template');
}

/** @throws Refusal 400 when a swap would replace a database that this system does not manage, and its name was not sent once more */
export function assertConfirmed(target: Target, wanted: Wanted): void {
  const [problem] = unmanagedTarget(target, wanted).problems;
  if (problem) throw invalidRequest([{ field: `body.${FIELD}`, message: `${problem.message}. ${problem.nextStep}` }]);
}
