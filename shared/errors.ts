import type { ErrorCode } from './core/errors/catalogue.ts';

/**
 * A failure an administrator can act on: a code of the catalogue, the cause in words, and the next step.
 * Its texts are shown to people and stored, so they hold no secret and no row data.
 *
 * @example
 * throw new OperationError('database_unreachable', 'No connection to shop at db.example:5432: timed out', 'Check the security group.');
 */
export class OperationError extends Error {
  readonly code: ErrorCode;
  readonly nextStep: string;

  constructor(code: ErrorCode, message: string, nextStep: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'OperationError';
    this.code = code;
    this.nextStep = nextStep;
  }
}
