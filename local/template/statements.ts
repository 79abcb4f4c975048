import type { Conditions } from '../iam/conditions.ts';
import type { Resource } from './intrinsics.ts';

/** A statement of any policy in the templates: of a role, a key, a bucket or a queue. */
export interface Statement {
  /** The resource that holds the policy. */
  readonly holder: Resource;
  /** Names of the functions, or else the roles' logical ids, that the policy is attached to; empty for a resource's own. */
  readonly roles: readonly string[];
  readonly effect: 'Allow' | 'Deny';
  readonly actions: readonly string[];
  readonly resources: readonly string[];
  readonly conditions: Conditions;
  readonly principal: unknown;
  /** As the template has it. */
  readonly text: string;
}

/** Every statement in all templates, wherever in a resource's properties its policy stands. */
export function statementsOf(resources: readonly Resource[]): Statement[] {
  const functionOfRole = new Map(
    resources
      .filter(({ type }) => type === 'AWS::Lambda::Function')
      .map(({ name, properties }) => [String(properties.Role), name]),
  );
  const roleNames = (resource: Resource): string[] => {
    const roles =
      resource.type === 'AWS::IAM::Role' ? [resource.name] : ((resource.properties.Roles ?? []) as string[]);
    return roles.map((role) => {
      const arn = resources.find(({ type, name }) => type === 'AWS::IAM::Role' && name === role)?.arn ?? '';
      return functionOfRole.get(arn) ?? role;
    });
  };
  return resources.flatMap((holder) =>
    documentsIn(holder.properties).map((statement) => ({
      holder,
      roles: roleNames(holder),
      effect: statement.Effect as 'Allow' | 'Deny',
      actions: list(statement.Action),
      resources: list(statement.Resource),
      conditions: (statement.Condition ?? {}) as Conditions,
      principal: statement.Principal,
      text: JSON.stringify(statement),
    })),
  );
}

/** Statements are known by their `Effect`, so that no place of a policy can be forgotten. */
function documentsIn(value: unknown): Record<string, unknown>[] {
  if (Array.isArray(value)) return value.flatMap(documentsIn);
  if (typeof value !== 'object' || value === null) return [];
  if ('Effect' in value) return [value as Record<string, unknown>];
  return Object.values(value).flatMap(documentsIn);
}

function list(value: unknown): string[] {
  return value === undefined ? [] : [value].flat().map(String);
}
