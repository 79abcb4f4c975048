/** What is wrong with `--database-url`, in words about it, and what to do. Holds no part of a password. */
export class DatabaseUrlError extends Error {
  readonly hint: string;
  /** Whether the address itself is wrong, whatever the server says. */
  readonly isMalformed: boolean;

  constructor(
    message: string,
    hint: string,
    { malformed = false, ...options }: ErrorOptions & { malformed?: boolean } = {},
  ) {
    super(`--database-url: ${message}\n  Hint: ${hint}`, options);
    this.name = 'DatabaseUrlError';
    this.hint = hint;
    this.isMalformed = malformed;
  }
}

/** An address that no server can make right. */
export const malformed = (message: string, hint: string, cause?: unknown): DatabaseUrlError =>
  new DatabaseUrlError(message, hint, { malformed: true, cause });
