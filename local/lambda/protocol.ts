/** What runner and instance say to each other over the process channel; payloads are JSON texts. */
export type InvocationContext = {
  readonly requestId: string;
  readonly invokedFunctionArn: string;
  readonly functionVersion: string;
  /** Milliseconds since the epoch. */
  readonly deadline: number;
};

export type ToInstance = { readonly type: 'invoke'; readonly payload: string; readonly context: InvocationContext };

/** An error as Lambda answers it. */
export type FunctionError = {
  readonly errorType: string;
  readonly errorMessage: string;
  readonly trace?: readonly string[];
};

export type FromInstance =
  | { readonly type: 'ready' }
  | { readonly type: 'result'; readonly payload: string }
  | { readonly type: 'error'; readonly error: FunctionError };
