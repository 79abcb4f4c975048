import { type Conditions, type Context, compileConditions } from './conditions.ts';
import { matches } from './pattern.ts';

/** A statement of a policy, as far as it decides. */
export type PolicyStatement = {
  readonly effect: 'Allow' | 'Deny';
  readonly actions: readonly string[];
  readonly resources: readonly string[];
  readonly conditions: Conditions;
};

/** What somebody wants to do: `s3:GetObject` on an ARN, with what conditions may speak of. */
export type AccessRequest = { readonly action: string; readonly resource: string; readonly context?: Context };

/** `implicit`: no statement allows it; `explicit`: one denies it. */
export type Decision = 'allowed' | 'implicit' | 'explicit';

export type Decide = (request: AccessRequest) => Decision;

/**
 * Makes the decision that IAM would make of statements. They are compiled once; for each action those that speak of it are kept, so that a
 * decision costs some microseconds.
 *
 * @throws Error for a condition that is not understood here
 */
export function compileStatements(statements: readonly PolicyStatement[]): Decide {
  const compiled = statements.map((statement) => ({ ...statement, isMet: compileConditions(statement.conditions) }));
  const byAction = new Map<string, typeof compiled>();
  const about = (action: string) => {
    const known = byAction.get(action);
    if (known) return known;
    // IAM does not tell the case of actions apart.
    const found = compiled.filter(({ actions }) =>
      actions.some((pattern) => matches(pattern.toLowerCase(), action.toLowerCase())),
    );
    byAction.set(action, found);
    return found;
  };
  return ({ action, resource, context = {} }) => {
    const applying = about(action).filter(
      ({ resources, isMet }) => resources.some((pattern) => matches(pattern, resource)) && isMet(context),
    );
    if (applying.some(({ effect }) => effect === 'Deny')) return 'explicit';
    return applying.some(({ effect }) => effect === 'Allow') ? 'allowed' : 'implicit';
  };
}
