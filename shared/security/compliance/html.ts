import { createHash } from 'node:crypto';
import type { Compliance, Theme } from '../../contract/schemas/compliance.ts';
import { Html, html } from '../../docs/html.ts';
import { reportStyle } from './report.css.ts';

type Result = Compliance['rules'][number];

/** The page may load nothing, and has no style but its own. */
export const reportPolicy = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(reportStyle).digest('base64')}'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'`;

const themeTitles: Readonly<Record<Theme, string>> = {
  tls: 'Encrypted connections',
  passwords: 'Passwords',
  authentication: 'Authentication',
  roles: 'Roles',
  privileges: 'Privileges',
  row_security: 'Row-level security',
  code: 'Functions, triggers and extensions',
  foreign_servers: 'Foreign servers',
  logging: 'Logging',
  limits: 'Limits and integrity',
  backups: 'Backups',
  aws: 'AWS',
  access: 'Access to this system',
};
const words = {
  pass: 'pass',
  fail: 'fail',
  waived: 'waived',
  not_applicable: 'not applicable',
  unknown: 'unknown',
} as const;

const BARS = '▁▂▃▄▅▆▇█';
/** The scores of the trend, the oldest first. */
const spark = (scores: readonly number[]): string =>
  scores.map((score) => BARS[Math.min(BARS.length - 1, Math.floor((score / 100) * BARS.length))]).join('');

/** The report as a page to read or print: what fails first, then the rest by theme. */
export function asPage(report: Compliance): string {
  const { database, at, score, counts, rules, trend, sources } = report;
  const open = rules.filter(({ status }) => status === 'fail' || status === 'unknown');
  const rest = rules.filter((rule) => !open.includes(rule));
  const themes = [...new Set(rest.map(({ theme }) => theme))];
  const title = `Compliance of ${database}`;
  const page = html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title}</title>
<style>${new Html(reportStyle)}</style></head>
<body><h1>${title}</h1><p class="muted">${at.slice(0, 16).replace('T', ' ')} UTC</p>
<p class="score">${score.toFixed(1)} <span class="muted">of 100</span></p>
<p class="muted">${spark(trend.map((run) => run.score).reverse())} over ${trend.length} ${trend.length === 1 ? 'run' : 'runs'}</p>
<table class="counts"><tr>${Object.entries(words).map(([status, word]) => html`<td><strong>${counts[status as keyof typeof words]}</strong> ${word}</td>`)}</tr></table>
<h2>To be mended</h2>${open.length === 0 ? html`<p>Nothing.</p>` : open.map(article)}
${themes.map((theme) => html`<h2>${themeTitles[theme]}</h2>${rest.filter((rule) => rule.theme === theme).map(article)}`)}
<h2>Sources</h2><ul>${sources.map(({ framework, title: name, source }) => html`<li>${framework}: ${name}, <a href="${source}">${source}</a></li>`)}</ul>
</body></html>`;
  return page.text;
}

function article({ id, title, level, status, found, expected, mend, controls, waiver }: Result): Html {
  return html`<article class="${status}"><h3>${title} <span class="label">${words[status]}</span> <span class="muted">${level} · ${id}</span></h3>
<p>Found: ${found}</p>${status === 'pass' ? null : html`<p>Expected: ${expected}</p>`}
${waiver && html`<p>Waived until ${waiver.until}: ${waiver.reason}</p>`}
${mend.length > 0 && html`<pre>${mend.map(({ statement }) => statement).join('\n')}</pre>`}
<p class="controls">${controls.map(({ framework, ids }) => `${framework} ${ids.join(', ')}`).join(' · ')}</p></article>
`;
}
