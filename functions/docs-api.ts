import { basePath } from '../shared/contract/define-route.ts';
import { createOpenApiDocument } from '../shared/contract/openapi.ts';
import { pagePolicy, renderDocsPage } from '../shared/docs/page.ts';
import { createApiHandler } from '../shared/http/api-handler.ts';

const cached = { 'Cache-Control': 'public, max-age=300' };

/** The document as the caller reaches the API: below the stage's name, or without one. */
function documentFor(link: (path: `/${string}`) => string) {
  const server = link('/docs').slice(0, -`${basePath}/docs`.length);
  return createOpenApiDocument(server === '' ? '/' : server);
}

export const handler = createApiHandler('docs-api', {
  getOpenapi: async ({ link }) => ({ status: 200, headers: cached, body: { ...documentFor(link) } }),
  getDocs: async ({ link }) => ({
    status: 200,
    headers: { ...cached, 'Content-Security-Policy': pagePolicy },
    body: renderDocsPage(documentFor(link), link('/openapi.json')),
  }),
});
