import { AwsError } from '../errors.ts';
import { LOCK_MODE, LOCKED_UNTIL } from './call.ts';
import { type Bucket, NO_VERSION, versionsOf } from './store.ts';

type Statement = { Effect: string; Action: string | string[]; Condition?: object };

/**
 * Sees to it that somebody may delete an object, or with `version` the bytes themselves.
 *
 * @param bypass - whether the caller asks to get round a lock in mode `GOVERNANCE`
 * @throws AwsError `AccessDenied` for a locked version, and where a statement of the bucket's policy forbids it to everybody
 */
export function checkDeletion(bucket: Bucket, key: string, version: string | null, bypass: boolean): void {
  const { policy } = bucket.configurations;
  const { Statement: statements = [] } = (policy ? JSON.parse(policy) : {}) as { Statement?: Statement[] };
  const forbids = (action: string) =>
    statements.some(
      // Conditions are of transport and encryption, which a deletion here never fails.
      ({ Effect, Action, Condition }) => Effect === 'Deny' && !Condition && [Action].flat().includes(action),
    );
  if (forbids(version === null ? 's3:DeleteObject' : 's3:DeleteObjectVersion')) {
    throw new AwsError('AccessDenied', 'Access Denied by an explicit deny in a resource-based policy', 403);
  }
  if (version === null) return;
  const { headers = {} } = versionsOf(bucket, key).find(({ versionId = NO_VERSION }) => versionId === version) ?? {};
  const isLocked = Date.parse(headers[LOCKED_UNTIL] ?? '') > Date.now();
  const mayBypass = bypass && headers[LOCK_MODE] === 'GOVERNANCE' && !forbids('s3:BypassGovernanceRetention');
  if (isLocked && !mayBypass) {
    throw new AwsError('AccessDenied', 'Access Denied because object protected by object lock.', 403);
  }
}
