import { Duration } from 'aws-cdk-lib';
import * as s3 from 'aws-cdk-lib/aws-s3';
import type { Deployment } from '../config/schema.ts';

type LockProps = Pick<s3.BucketProps, 'objectLockEnabled' | 'objectLockDefaultRetention'>;

/** Locks every new object of a bucket as the configuration says. A bucket made without object lock is replaced by one with it. */
export function defaultLock({ backups: { object_lock: lock } }: Pick<Deployment, 'backups'>): LockProps {
  return lock ? lockOf(lock) : {};
}

/** Locks every new object of a bucket for so many days. */
export function lockOf(lock: NonNullable<Deployment['backups']['object_lock']>): LockProps {
  const duration = Duration.days(lock.days);
  return {
    objectLockEnabled: true,
    objectLockDefaultRetention:
      lock.mode === 'compliance'
        ? s3.ObjectLockRetention.compliance(duration)
        : s3.ObjectLockRetention.governance(duration),
  };
}
