import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';

/** A loopback HTTP server. */
export type Listening = { url: string; port: number; close(): Promise<void> };

/**
 * Listens on the loopback address alone.
 *
 * @param port 0 takes a free one.
 */
export async function listen(port: number, listener: RequestListener): Promise<Listening> {
  const server = createServer(listener);
  // An SDK client keeps its connections: closing them early would fail the call that is just being sent.
  server.keepAliveTimeout = 120_000;
  // A large upload on a busy machine may take longer than Node's default of five minutes.
  server.requestTimeout = 0;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  const { port: taken } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${taken}`,
    port: taken,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

const maxBodyBytes = 64 * 1024 * 1024;

/** The whole body of a request, unzipped where the SDK compressed it (CloudWatch metrics). For small requests only. */
export async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBodyBytes) throw new Error(`The request is larger than ${maxBodyBytes} bytes`);
    chunks.push(chunk);
  }
  const body = Buffer.concat(chunks);
  return request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body;
}

/** Answers with a body, under a request id as every AWS service gives one. */
export function send(response: ServerResponse, status: number, contentType: string, body: string): void {
  response.writeHead(status, {
    'content-type': contentType,
    'content-length': Buffer.byteLength(body),
    'x-amzn-requestid': randomUUID(),
  });
  response.end(body);
}
