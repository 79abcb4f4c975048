import { createHash } from 'node:crypto';
import { type Compliance, type RuleLevel, ruleLevelSchema, type Theme } from '../../contract/schemas/compliance.ts';
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

const meanings: Readonly<Record<keyof typeof words, string>> = {
  pass: 'is as expected',
  fail: 'is not; what mends it is given',
  waived: 'fails or is unknown, and somebody has said why that may be, until a day',
  not_applicable: 'there is nothing to judge',
  unknown: 'could not be read; counts as if it failed',
};
/** The gravest first. */
const levels = ruleLevelSchema.options.toReversed();

/** The report as a page to read or print: what is to be mended, then what is waived, then the rest by theme. */
export function asPage(report: Compliance): string {
  const { database, at, score, counts, rules, trend, sources } = report;
  const open = levels.flatMap((level) =>
    rules.filter((rule) => rule.level === level && (rule.status === 'fail' || rule.status === 'unknown')),
  );
  const waived = rules.filter(({ status }) => status === 'waived');
  const rest = rules.filter((rule) => !open.includes(rule) && !waived.includes(rule));
  const themes = [...new Set(rest.map(({ theme }) => theme))];
  const title = `Compliance of ${database}`;
  const page = html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title}</title>
<style>${new Html(reportStyle)}</style></head>
<body><h1>${title}</h1><p class="muted">As of ${minute(at)} UTC · ${rules.length} rules</p>
<p class="score">${score.toFixed(1)} <span class="muted">of 100</span></p>
${course(trend)}
<table class="counts"><tr>${Object.entries(words).map(([status, word]) => html`<td><strong>${counts[status as keyof typeof words]}</strong> ${word}</td>`)}</tr></table>
<h2>Open, by level</h2>${openByLevel(open)}
<h2>To be mended</h2>${open.length === 0 ? html`<p>Nothing.</p>` : open.map(article)}
${waived.length > 0 && html`<h2>Waived</h2>${waived.map(article)}`}
${themes.map((theme) => html`<h2>${themeTitles[theme]}</h2>${settled(rest.filter((rule) => rule.theme === theme))}`)}
<h2>How to read this report</h2>
<p>Score: 100 × the weights of the rules that pass ÷ the weights of those that pass, fail or are unknown. Weights: critical 10, high 6, medium 3, low 1.</p>
<ul>${Object.entries(words).map(([status, word]) => html`<li><strong>${word}</strong>: ${meanings[status as keyof typeof words]}</li>`)}</ul>
<p>The numbers of controls say which ones a rule helps with. That all rules pass does not make an organisation compliant with any of them.</p>
<h2>Sources</h2><ul>${sources.map(({ framework, title: name, source }) => html`<li>${framework}: ${name}, <a href="${source}">${source}</a></li>`)}</ul>
</body></html>`;
  return page.text;
}

const minute = (at: string): string => at.slice(0, 16).replace('T', ' ');

const WIDTH = 240;
const HEIGHT = 40;

/** The scores of the latest days as a line, with the first and the last in words. */
function course(trend: Compliance['trend']): Html {
  const runs = trend.toReversed();
  const [first] = runs;
  if (!first || runs.length < 2) return html`<p class="muted">This is the first day with a report.</p>`;
  const points = runs.map(({ score }, index) => {
    const x = (index / (runs.length - 1)) * WIDTH;
    return `${x.toFixed(1)},${(HEIGHT - (score / 100) * HEIGHT).toFixed(1)}`;
  });
  return html`<p class="muted"><svg width="${WIDTH}" height="${HEIGHT}" viewBox="0 -2 ${WIDTH} ${HEIGHT + 4}" role="img" aria-label="Scores of ${runs.length} days"><polyline fill="none" stroke="currentColor" stroke-width="2" points="${points.join(' ')}"/></svg>
First: ${first.score.toFixed(1)} on ${first.at.slice(0, 10)} · ${runs.length} days with a report</p>`;
}

function openByLevel(open: readonly Result[]): Html {
  const count = (level: RuleLevel, status: Result['status']) =>
    open.filter((rule) => rule.level === level && rule.status === status).length;
  return html`<table><thead><tr><th>Level</th><th>fail</th><th>unknown</th></tr></thead><tbody>${levels.map((level) => html`<tr><td>${level}</td><td>${count(level, 'fail')}</td><td>${count(level, 'unknown')}</td></tr>`)}</tbody></table>`;
}

const controlsIn = ({ controls }: Result): string =>
  controls.map(({ framework, ids }) => `${framework} ${ids.join(', ')}`).join(' · ');

function settled(rules: readonly Result[]): Html {
  return html`<table class="settled"><thead><tr><th>Rule</th><th>Status</th><th>Found</th><th>Controls</th></tr></thead><tbody>${rules.map(
    (
      rule,
    ) => html`<tr><td><strong>${rule.title}</strong><br><span class="id">${rule.level} · ${rule.id}</span></td><td>${words[rule.status]}</td><td>${rule.found}</td><td class="controls">${controlsIn(rule)}</td></tr>
`,
  )}</tbody></table>`;
}

function article(rule: Result): Html {
  const { id, title, level, status, found, expected, mend, waiver } = rule;
  return html`<article class="${status}"><h3>${title}</h3>
<p><span class="label">${words[status]}</span> <span class="label">${level}</span> <span class="id">${id}</span></p>
<p><strong>Found:</strong> ${found}</p><p><strong>Expected:</strong> ${expected}</p>
${waiver && html`<p><strong>Waived</strong> until ${waiver.until} by ${waiver.by}, on ${waiver.at.slice(0, 10)}: ${waiver.reason}</p>`}
${mend.length > 0 && html`<p><strong>To mend it:</strong></p><pre>${mend.map(({ statement }) => statement).join('\n')}</pre>`}
<p class="controls">${controlsIn(rule)}</p></article>
`;
}
