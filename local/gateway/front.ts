import type { RequestListener, ServerResponse } from 'node:http';
import { type Listening, listen } from '../aws/http.ts';
import { asPortTaken } from '../ports.ts';

/** The API's port, held from the first step of a start to the last of a stop, so that nobody else takes it meanwhile. */
export type Front = Listening & {
  /** Who answers from now on; null: the system is not there, and says so. */
  readonly serve: (listener: RequestListener | null) => void;
};

/**
 * @param port - 0 takes a free one
 * @throws PortTaken
 */
export async function openFront(port: number): Promise<Front> {
  let current: RequestListener | null = null;
  const listening = await listen(port, (request, response) => {
    if (current) current(request, response);
    else answerUnavailable(response);
  }).catch((error: unknown) => asPortTaken(port, error));
  return {
    ...listening,
    serve: (listener) => {
      current = listener;
    },
  };
}

function answerUnavailable(response: ServerResponse): void {
  const problem = {
    type: 'urn:problem:unavailable',
    title: 'Service Unavailable',
    status: 503,
    code: 'unavailable',
    detail: 'The system is being started or stopped',
    next_step: 'Wait until its terminal says "Ready".',
  };
  response.writeHead(503, {
    'content-type': 'application/problem+json',
    'cache-control': 'no-store',
    'retry-after': '2',
    // Whoever waits for the system asks anew.
    connection: 'close',
  });
  response.end(JSON.stringify(problem));
}
