import { AwsError } from '../errors.ts';
import { type Call, LOCK_MODE, LOCKED_UNTIL } from './call.ts';
import { checkAction, isForbidden } from './policy.ts';
import { type Bucket, NO_VERSION, versionsOf } from './store.ts';

/**
 * Sees to it that somebody may delete an object, or with `version` the bytes themselves.
 *
 * @param bypass - whether the caller asks to get round a lock in mode `GOVERNANCE`
 * @throws AwsError `AccessDenied` for a locked version, and where a policy forbids it
 */
export function checkDeletion(
  bucket: Bucket,
  key: string,
  version: string | null,
  { bypass, call }: { bypass: boolean; call: Call },
): void {
  checkAction(call, version === null ? 's3:DeleteObject' : 's3:DeleteObjectVersion', key);
  if (version === null) return;
  const { headers = {} } = versionsOf(bucket, key).find(({ versionId = NO_VERSION }) => versionId === version) ?? {};
  const isLocked = Date.parse(headers[LOCKED_UNTIL] ?? '') > Date.now();
  const mayBypass =
    bypass && headers[LOCK_MODE] === 'GOVERNANCE' && !isForbidden(call, 's3:BypassGovernanceRetention', key);
  if (isLocked && !mayBypass) {
    throw new AwsError('AccessDenied', 'Access Denied because object protected by object lock.', 403);
  }
}
