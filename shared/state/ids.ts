import { monotonicFactory } from 'ulid';

/** Ids made in one process sort by time even within a millisecond. */
const nextUlid = monotonicFactory();

export function newJobId(): string {
  return `job-${nextUlid()}`;
}

export function newBackupId(): string {
  return `bkp-${nextUlid()}`;
}

export function newAlertId(): string {
  return `alr-${nextUlid()}`;
}
