import type { ServerResponse } from 'node:http';
import { send } from './http.ts';
import type { Email } from './ses.ts';
import { escapeXml } from './xml.ts';

const style = `body{font:16px/1.5 system-ui,sans-serif;color:#16191f;max-width:60rem;margin:0 auto;padding:1rem;overflow-wrap:anywhere}
h1{font-size:1.4rem;line-height:1.3;margin:.5rem 0}h2{font-size:1.1rem}p{margin:.25rem 0 1rem}a{color:#0353a4}.quiet{color:#5f6b7a}
ol{list-style:none;margin:0;padding:0;border-top:1px solid #d5dbdb}li{border-bottom:1px solid #d5dbdb}
li a{display:flex;flex-wrap:wrap;gap:0 1rem;padding:.5rem 0;text-decoration:none}li a:hover{background:#f2f3f3}
li b{flex:1 1 20rem;font-weight:600}time{white-space:nowrap}
iframe{box-sizing:border-box;width:100%;height:26rem;border:1px solid #d5dbdb}pre{font-size:.9rem;white-space:pre-wrap}`;

/** Answers `/` with the list of emails, `/emails` with the same as JSON, and `/emails/<id>` with one of them. */
export function showMailbox(response: ServerResponse, path: string, emails: readonly Email[]): void {
  if (path === '/emails') {
    send(response, 200, 'application/json', JSON.stringify(emails));
    return;
  }
  // Scripts and whatever else a mail may hold stay without effect.
  response.setHeader('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'");
  const html = 'text/html; charset=utf-8';
  if (path === '/') {
    send(response, 200, html, listOf(emails));
    return;
  }
  const email = emails.find(({ id }) => path === `/emails/${id}`);
  if (email) send(response, 200, html, pageOf(email));
  else send(response, 404, html, page('No such email', '<h1>No such email</h1><p><a href="/">All emails</a></p>'));
}

function listOf(emails: readonly Email[]): string {
  const rows = emails.map(
    (email) =>
      `<li><a href="/emails/${email.id}"><b>${subjectOf(email)}</b><span class="quiet">${timeOf(email)}</span></a></li>`,
  );
  const list = rows.length > 0 ? `<ol>${rows.join('\n')}</ol>` : '<p>None yet.</p>';
  const heading = `Sent emails (${emails.length})`;
  return page(
    heading,
    `<h1>${heading}</h1><p class="quiet">Kept on this machine, newest first; nothing was delivered.</p>${list}`,
  );
}

function pageOf(email: Email): string {
  const { from, to, cc, bcc, text, html, raw } = email;
  const asText = `<pre>${escapeXml(text || raw)}</pre>`;
  // A link of the mail opens beside it: within the frame it could not.
  const framed = `<iframe title="The email as HTML" sandbox="allow-popups allow-popups-to-escape-sandbox" srcdoc="${escapeXml(`${html}<base target="_blank">`)}"></iframe>
<h2>As text</h2>`;
  return page(
    subjectOf(email),
    `<p><a href="/">All emails</a></p><h1>${subjectOf(email)}</h1>
<p class="quiet">${timeOf(email)}<br>from ${escapeXml(from)}<br>to ${escapeXml([...to, ...cc, ...bcc].join(', '))}</p>
${html ? framed : ''}${asText}`,
  );
}

const subjectOf = ({ subject }: Email): string => escapeXml(subject) || '(no subject)';

const timeOf = ({ sentAt }: Email): string =>
  `<time datetime="${escapeXml(sentAt)}">${escapeXml(sentAt.slice(0, 19).replace('T', ' '))} UTC</time>`;

/** @param title - escaped */
function page(title: string, body: string): string {
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title><style>${style}</style></head><body>${body}</body></html>`;
}
