import { type App, CfnResource, Stack } from 'aws-cdk-lib';
import { ConfigurationError } from '../config/load.ts';
import type { Deployment } from '../config/schema.ts';

/** What CloudFormation takes in one stack ("AWS CloudFormation quotas" in its guide); it cannot be raised. */
const MOST_RESOURCES = 500;

/**
 * Sees that each stack holds no more than CloudFormation takes: what is made for each database adds up.
 *
 * @throws ConfigurationError saying how many databases fit, and what to do with the others
 */
export function assertStacksFit(app: App, { databases }: Pick<Deployment, 'databases'>): void {
  for (const stack of app.node.findAll().filter((construct) => Stack.isStack(construct))) {
    const resources = stack.node.findAll().filter((construct) => CfnResource.isCfnResource(construct));
    if (resources.length <= MOST_RESOURCES) continue;
    const ofDatabases = resources.filter(({ node }) =>
      node.scopes.some((scope) => databases.some(({ id }) => scope.node.id.endsWith(`-${id}`))),
    );
    const others = resources.length - ofDatabases.length;
    const fitting = Math.floor((MOST_RESOURCES - others) / (ofDatabases.length / databases.length));
    throw new ConfigurationError(
      `The stack ${stack.stackName} would have ${resources.length} resources, and CloudFormation takes ${MOST_RESOURCES}: ${databases.length} databases are too many for one deployment. Configure at most ${fitting} in this one, and the others in a deployment with a prefix of its own.`,
    );
  }
}
