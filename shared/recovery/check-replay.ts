import type { Finding } from '../backup/restore/findings.ts';
import type { PrepareDependencies } from '../backup/restore/prepare.ts';
import type { RestoreOptions } from '../backup/restore/tailor.ts';
import type { Definer } from '../changes/segments/description.ts';
import { definersCheck } from './check-definers.ts';
import { ownersOf } from './replay.ts';
import type { WithoutIdentity } from './without-identity.ts';

/**
 * Looks, before a restore begins, for what the replay after it would end at: roles that commands cannot be run as, and rows of selected tables
 * that cannot be told apart.
 */
export function replayCheck(
  { definers, withoutIdentity }: { definers: readonly Definer[]; withoutIdentity: readonly WithoutIdentity[] },
  options: RestoreOptions,
): NonNullable<PrepareDependencies['checkReplay']> {
  const check = definersCheck(definers, ownersOf(options));
  const { selection } = options;
  const identity = withoutIdentity
    .map((each) => ({ ...each, schema: text(each.schema), name: text(each.name) }))
    .filter(
      ({ schema, name }) =>
        !selection ||
        selection.schemas.includes(schema) ||
        selection.tables.some((table) => table.schema === schema && table.table === name),
    )
    .map(missingIdentity);
  return async (client, created) => {
    const { problems, warnings } = await check(client, created);
    return { problems: [...problems, ...identity], warnings };
  };
}

/** A name that holds a character for each byte. */
const text = (bytes: string): string => Buffer.from(bytes, 'latin1').toString('utf8');

const missingIdentity = ({ schema, name, at }: WithoutIdentity): Finding => ({
  code: 'no_replica_identity',
  message: `Rows of ${schema}.${name} were updated or deleted at ${at}, and it had no replica identity: which rows is not in the log`,
  nextStep: `Restore to a moment before, or select the other tables. Give ${schema}.${name} a primary key, or REPLICA IDENTITY FULL.`,
});
