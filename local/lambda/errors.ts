/** An error that the Lambda API answers, by its name in the service's model. */
export class LambdaServiceError extends Error {
  readonly statusCode: number;
  readonly code: string;

  constructor(statusCode: number, code: string, message: string) {
    super(message);
    this.name = 'LambdaServiceError';
    this.statusCode = statusCode;
    this.code = code;
  }
}

export const invalidParameter = (message: string) =>
  new LambdaServiceError(400, 'InvalidParameterValueException', message);
export const notFound = (message: string) => new LambdaServiceError(404, 'ResourceNotFoundException', message);
