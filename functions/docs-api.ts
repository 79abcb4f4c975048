import type { Context } from 'aws-lambda';
import { basePath } from '../shared/contract/define-route.ts';
import { createOpenApiDocument } from '../shared/contract/openapi.ts';
import { pagePolicy, renderDocsPage } from '../shared/docs/page.ts';
import { createApiHandler } from '../shared/http/api-handler.ts';
import { leadToDocs } from '../shared/http/entrances.ts';
import type { ApiEvent, ApiResult } from '../shared/http/event.ts';

const cached = { 'Cache-Control': 'public, max-age=300' };

/** The document as the caller reaches the API: below the stage's name, or without one. */
function documentFor(link: (path: `/${string}`) => string) {
  const server = link('/docs').slice(0, -`${basePath}/docs`.length);
  return createOpenApiDocument(server === '' ? '/' : server);
}

const serve = createApiHandler('docs-api', {
  getOpenapi: async ({ link }) => ({ status: 200, headers: cached, body: { ...documentFor(link) } }),
  getDocs: async ({ link }) => ({
    status: 200,
    headers: { ...cached, 'Content-Security-Policy': pagePolicy },
    body: renderDocsPage(documentFor(link), link('/openapi.json')),
  }),
});

/** Serves the documentation, and leads to it from where people look for it. */
export async function handler(event: ApiEvent, context: Context): Promise<ApiResult> {
  return leadToDocs(event) ?? (await serve(event, context));
}
