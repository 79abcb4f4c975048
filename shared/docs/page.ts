import { createHash } from 'node:crypto';
import { basePath } from '../contract/define-route.ts';
import type { OpenApiDocument } from '../contract/openapi.ts';
import { type Html, html, inline, prose } from './html.ts';
import { pageCss } from './page.css.ts';
import { type FieldView, fieldsOf, fieldTable, type SchemaView, typeText } from './schema-view.ts';

/** Nothing may be loaded or run: the page is text and one style. */
export const pagePolicy = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(pageCss).digest('base64')}'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'`;

interface Media {
  schema?: SchemaView;
  example?: unknown;
}

/** What the page shows of an operation; every document of this system has it. */
interface Operation {
  operationId: string;
  tags: string[];
  summary: string;
  description: string;
  'x-least-role': string;
  parameters?: { name: string; in: string; required?: boolean; description?: string; schema: SchemaView }[];
  requestBody?: { content: Record<string, Media> };
  responses: Record<
    string,
    { description: string; content?: Record<string, Media>; headers?: Record<string, { description?: string }> }
  >;
}

interface Shown extends Operation {
  method: string;
  path: string;
}

/**
 * The API's documentation as one page without scripts, from its OpenAPI document.
 *
 * @param documentUrl - where the document itself is found
 */
export function renderDocsPage(document: OpenApiDocument, documentUrl: string): string {
  const operations: Shown[] = Object.entries(document.paths ?? {}).flatMap(([path, item]) =>
    Object.entries(item ?? {}).map(([method, operation]) => ({ ...(operation as Operation), method, path })),
  );
  const tags = (document.tags ?? []).map(({ name }) => name);
  const schemas = Object.entries(document.components?.schemas ?? {}) as [string, SchemaView][];
  const server = document.servers?.[0]?.url ?? '/';
  const ofTag = (tag: string): Shown[] => operations.filter((operation) => operation.tags.includes(tag));

  const page = html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${document.info.title}: API</title><style>${rawStyle}</style></head>
<body><a class="skip" href="#main">Skip to the content</a><div class="layout">
<nav aria-label="Contents"><ul><li><a href="#start">How to call it</a></li></ul>
${tags.map(
  (
    tag,
  ) => html`<h2>${tag}</h2><ul>${ofTag(tag).map(({ operationId, summary }) => html`<li><a href="#${operationId}">${summary}</a></li>`)}</ul>
`,
)}<h2>Schemas</h2><ul>${schemas.map(([name]) => html`<li><a href="#schema-${name}">${name}</a></li>`)}</ul></nav>
<main id="main"><h1>${document.info.title}</h1>${prose(document.info.description)}
<p>Version ${document.info.version}. The same as an <a href="${documentUrl}">OpenAPI document</a>.</p>
${howToCall(server)}
${tags.map(
  (
    tag,
  ) => html`<section aria-label="${tag}"><h2>${tag}</h2>${ofTag(tag).map((operation) => operationView(operation))}</section>
`,
)}<section aria-label="Schemas"><h2>Schemas</h2>${schemas.map(([name, schema]) => schemaView(name, schema))}</section>
</main></div></body></html>
`;
  return page.text;
}

/** Not escaped: the policy's hash is of these very bytes. */
const rawStyle: Html = html([pageCss] as unknown as TemplateStringsArray);

function howToCall(server: string): Html {
  const origin = server === '/' ? 'https://<host>' : server.startsWith('/') ? `https://<host>${server}` : server;
  return html`<section id="start" aria-label="How to call it"><h2>How to call it</h2>
<p>Send an OpenID Connect token with every request. Roles: <code>viewer</code> reads; <code>operator</code> also starts backups; <code>admin</code> may do everything; <code>auditor</code> reads.</p>
<pre tabindex="0"><code>API=${origin}${basePath}
TOKEN=...</code></pre></section>`;
}

function operationView(operation: Shown): Html {
  const { operationId, method, path, summary, description, parameters = [], requestBody, responses } = operation;
  const role = operation['x-least-role'];
  const body = requestBody?.content['application/json'];
  const fields: FieldView[] = parameters.map((parameter) => ({
    name: parameter.name,
    schema: parameter.schema,
    required: parameter.required ?? false,
    note: `${parameter.description ?? ''} In the ${parameter.in}.`.trim(),
  }));
  return html`<article id="${operationId}" aria-labelledby="${operationId}-title"><h3 id="${operationId}-title">${summary}</h3>
<p class="path"><span class="method ${method}">${method.toUpperCase()}</span><span>${path}</span><span class="role">${role === 'public' ? 'no token needed' : html`least role: <strong>${role}</strong>`}</span></p>
${prose(description.replace(/\n\nLeast role: .*$/s, ''))}
${fields.length > 0 && fieldTable('Parameters', fields)}
${body?.schema && fieldTable('Request body (JSON)', fieldsOf(body.schema))}
<h4>Example</h4><pre tabindex="0"><code>${curl(operation, body?.example)}</code></pre>
${answersView(responses)}</article>
`;
}

function answersView(responses: Operation['responses']): Html {
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Answers"><table><caption>Answers</caption>
<thead><tr><th scope="col">Status</th><th scope="col">Body</th><th scope="col">Meaning</th></tr></thead><tbody>
${Object.entries(responses).map(([status, { description, content = {}, headers = {} }]) => {
  const [[type, media] = []] = Object.entries(content);
  const names = Object.entries(headers).map(([name, { description: text }]) => ` Header \`${name}\`: ${text ?? ''}`);
  return html`<tr><th scope="row">${status}</th><td>${bodyText(type, media)}</td><td>${inline(description + names.join(''))}</td></tr>
`;
})}</tbody></table></div>`;
}

function bodyText(type: string | undefined, media: Media | undefined): Html {
  if (type === undefined || !media?.schema) return html`none`;
  if (type === 'text/html') return html`HTML`;
  const items = media.schema.properties?.items;
  return items ? html`page of ${typeText(items)}` : typeText(media.schema);
}

function curl({ method, path, parameters = [], ...operation }: Shown, example: unknown): string {
  const address = path.slice(basePath.length).replace('{id}', () => String(exampleOf(parameters) ?? '{id}'));
  const lines = [
    `curl${method === 'get' ? '' : ` -X ${method.toUpperCase()}`} "$API${address}"`,
    ...(operation['x-least-role'] === 'public' ? [] : ['-H "Authorization: Bearer $TOKEN"']),
    ...(parameters.some(({ name }) => name === 'Idempotency-Key') ? ['-H "Idempotency-Key: $(uuidgen)"'] : []),
    ...(example === undefined
      ? []
      : ['-H "Content-Type: application/json"', `-d ${shellQuote(JSON.stringify(example))}`]),
  ];
  return lines.join(' \\\n  ');
}

const shellQuote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

function exampleOf(parameters: NonNullable<Operation['parameters']>): unknown {
  const schema = parameters.find(({ name }) => name === 'id')?.schema as { examples?: unknown[] } | undefined;
  return schema?.examples?.[0];
}

function schemaView(name: string, schema: SchemaView): Html {
  return html`<article id="schema-${name}"><h3>${name}</h3>${prose(schema.description)}${fieldTable(`Fields of ${name}`, fieldsOf(schema))}</article>
`;
}
