/** What the API reads of API Gateway's REST proxy event. */
export interface ApiEvent {
  /** The route's path with its parameters in braces. */
  resource: string;
  httpMethod: string;
  /** Names in lower case, after the header normalizer. */
  headers: Record<string, string | undefined> | null;
  pathParameters: Record<string, string | undefined> | null;
  queryStringParameters?: Record<string, string | undefined> | null;
  multiValueQueryStringParameters?: Record<string, string[] | undefined> | null;
  body: string | null;
  isBase64Encoded?: boolean;
  requestContext: {
    requestId: string;
    /** As the caller sent it: with the stage's name or a custom domain's prefix. */
    path?: string;
    /** What the authorizer said of the caller; every value is text. */
    authorizer?: Record<string, unknown> | null;
    /** The caller's address, as API Gateway saw it. */
    identity?: { sourceIp?: string | undefined };
  };
}

export interface ApiResult {
  statusCode: number;
  headers: Record<string, string>;
  body: string;
}
