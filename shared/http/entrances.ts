import { basePath } from '../contract/define-route.ts';
import type { ApiEvent, ApiResult } from './event.ts';

/** Paths of no route, to which people come by guessing or by shortening an address: they lead to the documentation. */
export const entrances = ['/', '/docs', basePath] as const;

/** The way to the documentation, for browsers and for those who read answers; null for any other path. */
export function leadToDocs({ resource, requestContext }: ApiEvent): ApiResult | null {
  const entrance = entrances.find((path) => path === resource);
  if (entrance === undefined) return null;
  const own = (requestContext.path ?? '').replace(/\/+$/, '');
  const before = own.endsWith(entrance) ? own.slice(0, -entrance.length) : own;
  const docs = `${before}${basePath}/docs`;
  return {
    statusCode: 302,
    headers: { Location: docs, 'Content-Type': 'text/plain; charset=utf-8', 'Cache-Control': 'no-store' },
    body: `The API is at ${before}${basePath}, its documentation at ${docs}\n`,
  };
}
