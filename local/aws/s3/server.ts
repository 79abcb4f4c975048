import { randomUUID } from 'node:crypto';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { finished } from 'node:stream/promises';
import { type Access, callerOf, createAccess } from '../../iam/access.ts';
import { AwsError, asAwsError } from '../errors.ts';
import type { FaultList } from '../faults.ts';
import { escapeXml } from '../xml.ts';
import { bucketOperations } from './bucket-operations.ts';
import type { Call } from './call.ts';
import { objectOperations } from './object-operations.ts';
import { checkOperation, mayBeTold } from './policy.ts';
import { routeOf } from './route.ts';
import type { Store } from './store.ts';
import { uploadOperations } from './upload-operations.ts';

const operations = { ...bucketOperations, ...objectOperations, ...uploadOperations };

/** Amazon S3's REST API over a store on disk. @param failed - told of errors that no S3 would answer with: those of this machine */
export function serveS3(
  store: Store,
  faults: FaultList,
  failed: (error: Error) => void,
  access: Access = createAccess(),
): RequestListener {
  return async (request, response) => {
    response.setHeader('x-amz-request-id', randomUUID());
    const url = new URL(request.url ?? '/', 'http://localhost');
    const route = routeOf(request.method ?? 'GET', url, request.headers);
    const { operation, bucketName, key } = route;
    const caller = callerOf(request.headers.authorization, url.searchParams);
    const call: Call = { store, request, response, bucketName, key, query: url.searchParams, caller, access };
    try {
      requireCredentials(request, url, operation);
      faults.check('s3', operation);
      const run = operations[operation];
      if (!run) throw new AwsError('NotImplemented', `The local S3 has no ${operation}`, 501);
      checkOperation(call, operation);
      await run(call);
    } catch (error) {
      if (error instanceof Error && !(error instanceof AwsError)) failed(error);
      const isHidden = asAwsError(error).code === 'NoSuchKey' && !mayBeTold(call);
      await sendError(request, response, isHidden ? new AwsError('AccessDenied', 'Access Denied', 403) : error);
    }
  };
}

/** Signatures are not checked, but a call without any would be refused by a private bucket, and so would an expired link. */
function requireCredentials(request: IncomingMessage, url: URL, operation: string): void {
  if (request.headers.authorization) {
    requireTime(request);
    return;
  }
  const signedAt = timeOf(url.searchParams.get('X-Amz-Date'));
  if (!url.searchParams.has('X-Amz-Signature') || signedAt === null)
    throw new AwsError('AccessDenied', 'Access Denied', 403);
  if (Date.now() > signedAt + Number(url.searchParams.get('X-Amz-Expires')) * 1000)
    throw new AwsError('AccessDenied', 'Request has expired', 403);
  // The method is part of what is signed; the SDK also names the operation.
  if ((url.searchParams.get('x-id') ?? operation) !== operation) {
    throw new AwsError('SignatureDoesNotMatch', 'The request does not match the signature you provided.', 403);
  }
}

const MAX_SKEW_MS = 900_000;

/** A client whose clock is wrong is told so, and by the answer's date what time it is. */
function requireTime(request: IncomingMessage): void {
  const date = request.headers['x-amz-date'];
  const signedAt = timeOf(typeof date === 'string' ? date : null);
  if (signedAt === null || Math.abs(Date.now() - signedAt) <= MAX_SKEW_MS) return;
  throw new AwsError(
    'RequestTimeTooSkewed',
    'The difference between the request time and the current time is too large.',
    403,
  );
}

/** Milliseconds since the epoch of a time in the basic form of ISO 8601. */
function timeOf(text: string | null): number | null {
  const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text ?? '');
  if (!parts) return null;
  const [year = 0, month = 1, day, hour, minute, second] = parts.slice(1).map(Number);
  return Date.UTC(year, month - 1, day, hour, minute, second);
}

async function sendError(request: IncomingMessage, response: ServerResponse, error: unknown): Promise<void> {
  // Half an answer cannot be taken back: the client must see it break off.
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  // A client in the middle of sending would find the connection closed before it reads the answer.
  if (!request.readableEnded && !request.destroyed) await finished(request.resume()).catch(() => undefined);
  const { code, message, status } = asAwsError(error);
  const body =
    request.method === 'HEAD'
      ? ''
      : `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${escapeXml(code)}</Code><Message>${escapeXml(message)}</Message></Error>`;
  response.writeHead(status, { 'content-type': 'application/xml', 'content-length': Buffer.byteLength(body) });
  response.end(body);
}
