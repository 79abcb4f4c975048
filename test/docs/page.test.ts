import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { createOpenApiDocument } from '../../shared/contract/openapi.ts';
import { routes } from '../../shared/contract/routes.ts';
import { html, inline } from '../../shared/docs/html.ts';
import { pagePolicy, renderDocsPage } from '../../shared/docs/page.ts';

const page = renderDocsPage(createOpenApiDocument('/v1'), '/v1/api/database/openapi.json');

test('every route has its place, reachable from the contents', () => {
  for (const { operationId, summary } of routes) {
    expect(page).toContain(`<article id="${operationId}"`);
    expect(page).toContain(`<a href="#${operationId}">${summary}</a>`);
  }
});

test('no link leads nowhere, and no id is given twice', () => {
  const ids = [...page.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id);
  expect(new Set(ids).size).toBe(ids.length);
  for (const [, target] of page.matchAll(/href="#([^"]+)"/g)) expect(ids).toContain(target);
});

test('the page loads and runs nothing, and its one style is the one its policy lets in', () => {
  expect(page).not.toMatch(/<script|<link|<img|<iframe|@import|url\(| on\w+=|style="/i);
  const styles = [...page.matchAll(/<style>([\s\S]*?)<\/style>/g)].map(([, style]) => style ?? '');
  expect(styles).toHaveLength(1);
  const hash = createHash('sha256')
    .update(styles[0] ?? '')
    .digest('base64');
  expect(pagePolicy).toContain(`style-src 'sha256-${hash}'`);
  expect(pagePolicy).toContain("default-src 'none'");
});

test('the curl example of a POST carries the token, a key and the body', () => {
  expect(page).toContain('curl -X POST &quot;$API/restore&quot;');
  expect(page).toContain('Idempotency-Key: $(uuidgen)');
  expect(page).toContain('&quot;confirm&quot;:true');
});

test('text put into a page is escaped', () => {
  expect(html`<p title="${'"><script>'}">${"<b>&'"}</p>`.text).toBe(
    '<p title="&quot;&gt;&lt;script&gt;">&lt;b&gt;&amp;&#39;</p>',
  );
  expect(html`${inline('a `<b>` c')}`.text).toBe('a <code>&lt;b&gt;</code> c');
});
