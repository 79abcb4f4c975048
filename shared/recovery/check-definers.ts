import type { Finding } from '../backup/restore/findings.ts';
import type { PrepareDependencies } from '../backup/restore/prepare.ts';
import { chooseExecutor, type ExecutorFacts, readExecutorFacts } from '../changes/replay/executor.ts';
import type { ReplayDependencies } from '../changes/replay/replay.ts';
import type { Definer } from '../changes/segments/description.ts';

/**
 * Looks, before a restore begins, whether the commands that are repeated after it can be run as who ran them: a replay would end at the
 * first that cannot.
 *
 * @param definers - who ran them, with their rights at that time
 */
export function definersCheck(
  definers: readonly Definer[],
  { roleOf = (role) => role, ownersLeftOut = false }: NonNullable<ReplayDependencies['owners']> = {},
): NonNullable<PrepareDependencies['checkReplay']> {
  return async (client, created) => {
    const problems: Finding[] = [];
    const warnings: Finding[] = [];
    for (const { role: original, rights } of definers) {
      const role = roleOf(original);
      const found = await readExecutorFacts(client, role);
      // Those that the restore creates have no rights, and the login is their member.
      const isCreated = found.roleRights === null && created.has(role);
      const facts: ExecutorFacts = isCreated ? { ...found, roleRights: [], isMember: true } : found;
      const choice = chooseExecutor(facts, { rights, ownersLeftOut });
      if ('refusal' in choice) problems.push(refused(original, choice.refusal));
      else if (choice.warning !== null) warnings.push(replaced(original, choice.warning));
    }
    return { problems: unique(problems), warnings: unique(warnings) };
  };
}

const refused = (role: string, refusal: string): Finding => ({
  code: 'definer_missing',
  message: `Changes of definitions that ${role} made after the full backup cannot be repeated: ${refusal}`,
  nextStep: `Create ${role} on the server with the rights that it had and make the login its member (GRANT ${role} TO the login), name another with "owner_mapping", or restore to a moment before its first change.`,
});

const replaced = (role: string, warning: string): Finding => ({
  code: 'definer_replaced',
  message: `What ${role} defined after the full backup will belong to the login: ${warning}`,
  nextStep: `Create ${role} on the server and make the login its member first, or change the owners afterwards.`,
});

const unique = (findings: readonly Finding[]): Finding[] => [
  ...new Map(findings.map((finding) => [finding.message, finding])).values(),
];
