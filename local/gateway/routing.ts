import type { ApiMethod, RestApi } from '../template/api.ts';

export type Route = { readonly method: ApiMethod; readonly pathParameters: Readonly<Record<string, string>> | null };

/** Finds the method for a request as API Gateway does: literal segments before variables, before greedy ones. */
export function findRoute(api: RestApi, httpMethod: string, path: string): Route | null {
  const segments = split(path);
  const candidates = api.methods
    .filter((method) => method.httpMethod === httpMethod || method.httpMethod === 'ANY')
    .map((method) => ({ method, matched: match(split(method.resourcePath), segments) }))
    .filter((candidate) => candidate.matched !== null)
    .sort(
      (a, b) =>
        (a.matched?.rank ?? '').localeCompare(b.matched?.rank ?? '') || rankMethod(a.method) - rankMethod(b.method),
    );
  const best = candidates[0];
  if (!best?.matched) return null;
  const { parameters } = best.matched;
  return { method: best.method, pathParameters: Object.keys(parameters).length > 0 ? parameters : null };
}

/** The path without the stage that may lead it: the API is served with and without. */
export function withoutStage(api: RestApi, path: string): string {
  const prefix = `/${api.stage.StageName}`;
  return path === prefix || path.startsWith(`${prefix}/`) ? path.slice(prefix.length) || '/' : path;
}

function match(
  pattern: readonly string[],
  segments: readonly string[],
): { parameters: Record<string, string>; rank: string } | null {
  const parameters: Record<string, string> = {};
  let rank = '';
  for (const [index, part] of pattern.entries()) {
    const segment = segments[index];
    const greedy = /^\{(.+)\+\}$/.exec(part)?.[1];
    if (greedy !== undefined) {
      if (segment === undefined) return null;
      return { parameters: { ...parameters, [greedy]: segments.slice(index).join('/') }, rank: `${rank}2` };
    }
    const variable = /^\{(.+)\}$/.exec(part)?.[1];
    if (segment === undefined || (variable === undefined && segment !== part)) return null;
    if (variable !== undefined) parameters[variable] = segment;
    rank += variable === undefined ? '0' : '1';
  }
  return pattern.length === segments.length ? { parameters, rank } : null;
}

const rankMethod = ({ httpMethod }: ApiMethod) => (httpMethod === 'ANY' ? 1 : 0);

const split = (path: string) =>
  path
    .split('/')
    .filter((part) => part !== '')
    .map((part) => {
      try {
        return decodeURIComponent(part);
      } catch {
        return part;
      }
    });
