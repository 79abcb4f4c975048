/** An error as an AWS service answers it: its code (the SDK's error name), message and HTTP status. */
export class AwsError extends Error {
  readonly code: string;
  readonly status: number;
  /** Further members of the answer, e.g. `CancellationReasons`. */
  readonly members: Readonly<Record<string, unknown>>;

  constructor(code: string, message: string, status = 400, members: Readonly<Record<string, unknown>> = {}) {
    super(message);
    this.name = code;
    this.code = code;
    this.status = status;
    this.members = members;
  }
}

/** The error to answer for anything thrown: AWS errors as they are, the rest as an internal failure with its reason. */
export function asAwsError(error: unknown): AwsError {
  if (error instanceof AwsError) return error;
  return new AwsError('InternalFailure', error instanceof Error ? error.message : String(error), 500);
}
