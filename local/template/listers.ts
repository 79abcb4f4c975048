import * as z from 'zod';
import { matches } from '../gateway/authorization.ts';
import type { Resource } from './intrinsics.ts';

const list = z.union([z.string(), z.array(z.string())]).transform((value) => [value].flat());
const statementSchema = z.looseObject({
  Effect: z.enum(['Allow', 'Deny']),
  Action: list.default([]),
  Resource: list.default([]),
  Condition: z.record(z.string(), z.record(z.string(), z.unknown())).default({}),
});
const documentSchema = z.object({ Statement: z.array(statementSchema) });
const policySchema = z.object({ PolicyDocument: documentSchema, Roles: z.array(z.string()).default([]) });
const roleSchema = z.object({ Policies: z.array(z.object({ PolicyDocument: documentSchema })).default([]) });

/**
 * Which buckets each function may list, by its name, as far as S3 asks for that right where an object is read that is not there. Such a
 * request has no prefix, so a condition on one holds only where it says `IfExists`.
 */
export function readListers(resources: readonly Resource[]): Map<string, string[]> {
  const ofType = (type: string) => resources.filter((resource) => resource.type === type);
  const statementsOf = (role: Resource) =>
    [
      ...roleSchema.parse(role.properties).Policies.map(({ PolicyDocument }) => PolicyDocument),
      ...ofType('AWS::IAM::Policy')
        .map(({ properties }) => policySchema.parse(properties))
        .filter(({ Roles }) => Roles.includes(role.name))
        .map(({ PolicyDocument }) => PolicyDocument),
    ].flatMap(({ Statement }) => Statement);
  return new Map(
    ofType('AWS::Lambda::Function').map(({ name, properties }) => {
      const role = ofType('AWS::IAM::Role').find(({ arn }) => arn === properties.Role);
      const listing = (role ? statementsOf(role) : []).filter(
        ({ Effect, Action, Condition }) =>
          Effect === 'Allow' &&
          Action.some((action) => matches(action, 's3:ListBucket')) &&
          Object.keys(Condition).every((operator) => operator.endsWith('IfExists')),
      );
      const buckets = ofType('AWS::S3::Bucket').filter(({ arn }) =>
        listing.some(({ Resource }) => Resource.some((pattern) => matches(pattern, arn))),
      );
      return [name, buckets.map((bucket) => bucket.name)];
    }),
  );
}
