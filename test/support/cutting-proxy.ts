import { listen } from '../../local/aws/http.ts';

export interface CuttingProxy {
  url: string;
  /** Answers that were cut off so far. */
  readonly cuts: number;
  /** Cuts off the answers of so many calls of an operation; `meanwhile` runs before each, when the call was served. */
  cut(operation: string, times: number, meanwhile?: () => Promise<unknown>): void;
  close(): Promise<void>;
}

/** A way to a JSON service of AWS on which calls arrive and are served, and their answers are lost. */
export async function startCuttingProxy(endpoint: string): Promise<CuttingProxy> {
  let left = { operation: '', times: 0, meanwhile: async (): Promise<unknown> => undefined };
  let cuts = 0;
  const server = await listen(0, async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const target = String(request.headers['x-amz-target']);
    const answer = await fetch(endpoint, {
      method: 'POST',
      headers: { 'x-amz-target': target, 'content-type': String(request.headers['content-type']) },
      body: Buffer.concat(chunks),
    });
    const body = await answer.text();
    if (left.times > 0 && target.endsWith(`.${left.operation}`)) {
      left.times -= 1;
      cuts += 1;
      await left.meanwhile();
      response.destroy();
      return;
    }
    response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? '' }).end(body);
  });
  return {
    url: server.url,
    get cuts() {
      return cuts;
    },
    cut(operation, times, meanwhile = async () => undefined) {
      left = { operation, times, meanwhile };
    },
    close: () => server.close(),
  };
}
