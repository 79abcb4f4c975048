import type { ErrorCode } from '../../core/errors/catalogue.ts';
import { OperationError } from '../../errors.ts';

/** Something found before a restore begins. */
export interface Finding {
  code: ErrorCode;
  message: string;
  nextStep: string;
}

/**
 * Refuses a restore for all of its problems at once; for none, does nothing.
 *
 * @throws OperationError with the problem's own code, or `restore_refused` for several
 */
export function assertNoProblems(problems: readonly Finding[]): void {
  const [first, ...others] = problems;
  if (!first) return;
  if (others.length === 0) throw new OperationError(first.code, first.message, first.nextStep);
  throw new OperationError(
    'restore_refused',
    `${problems.length} problems stand against the restore: ${problems.map(({ message }, index) => `(${index + 1}) ${message}`).join('; ')}`,
    problems.map(({ nextStep }, index) => `(${index + 1}) ${nextStep}`).join(' '),
  );
}
