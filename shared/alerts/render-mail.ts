import { redactText } from '../redaction/redact.ts';
import { formatValue, sparkline } from './format.ts';
import type { Mail, MailSubject } from './mail-queue.ts';

export interface RenderedMail {
  subject: string;
  text: string;
  html: string;
}

const said = {
  opened: 'opened',
  raised: 'got worse',
  escalated: 'has stayed and nobody has acknowledged it',
  resolved: 'is over',
} as const satisfies Record<MailSubject['event'], string>;

/**
 * A mail as text and as HTML. It names databases and objects of theirs, never a person, a statement or a row.
 *
 * @param linkTo - the address of the page about a database; null: none
 */
export function renderMail(
  { subjects: given, digest }: Pick<Mail, 'subjects' | 'digest'>,
  linkTo: (database: string | null) => string | null,
): RenderedMail {
  const subjects = given.map(redacted);
  const [first] = subjects;
  if (first === undefined) throw new Error('A mail has a subject');
  const subject = digest
    ? `[INFO] ${nameOf(first)}: ${subjects.length} ${subjects.length === 1 ? 'notice' : 'notices'} of the last day`
    : `${first.event === 'resolved' ? '[RESOLVED]' : `[${first.level}]`} ${nameOf(first)}: ${headline(first)}`;
  const link = linkTo(first.database);
  const text = [...subjects.map(asText), link === null ? '' : `\nMore: ${link}\n`].join('\n');
  return { subject: oneLine(subject), text, html: asPage(subject, subjects.map(asHtml).join('\n'), link) };
}

/** Details may hold the words of a server, and those what is in its rows. */
const redacted = (subject: MailSubject): MailSubject => ({
  ...subject,
  title: redactText(subject.title),
  what_to_do: redactText(subject.what_to_do),
  detail: subject.detail === null ? null : redactText(subject.detail),
});

const nameOf = ({ database }: MailSubject): string => database ?? 'database management';

function headline({ title, value, threshold, unit, event }: MailSubject): string {
  if (event === 'resolved') return `${title} is over`;
  const limit = threshold === null ? '' : ` (threshold ${formatValue(threshold, unit)})`;
  return value === null ? title : `${title}: ${formatValue(value, unit)}${limit}`;
}

function factsOf(subject: MailSubject): [name: string, value: string][] {
  const { level, value, threshold, unit, at, event, detail, recent } = subject;
  const chart = sparkline(recent);
  return [
    ['Level', level],
    ['What happened', `It ${said[event]} at ${at.slice(0, 19).replace('T', ' ')} UTC`],
    ...(value === null ? [] : ([['Value', formatValue(value, unit)]] as [string, string][])),
    ...(threshold === null ? [] : ([['Threshold', formatValue(threshold, unit)]] as [string, string][])),
    ...(detail === null ? [] : ([['Known besides', detail]] as [string, string][])),
    ...(chart === '' ? [] : ([['Lately', `${chart}  ${range(recent, unit)}`]] as [string, string][])),
    ...(event === 'resolved' ? [] : ([['What to do', subject.what_to_do]] as [string, string][])),
  ];
}

function range(values: readonly number[], unit: string): string {
  return `${formatValue(Math.min(...values), unit)} to ${formatValue(Math.max(...values), unit)}`;
}

function asText(subject: MailSubject): string {
  const facts = factsOf(subject).map(([name, value]) => `${name}: ${value}`);
  return [`${nameOf(subject)}: ${subject.title}`, '', ...facts, `Alert: ${subject.alert_id}`, ''].join('\n');
}

const colours = { INFO: '#0972d3', WARNING: '#8d6605', ERROR: '#d91515', CRITICAL: '#870303' } as const;

function asHtml(subject: MailSubject): string {
  const colour = subject.event === 'resolved' ? '#037f0c' : colours[subject.level];
  const rows = factsOf(subject).map(
    ([name, value]) =>
      `<tr><th style="text-align:left;vertical-align:top;padding:2px 12px 2px 0;white-space:nowrap">${escapeHtml(name)}</th><td style="padding:2px 0;overflow-wrap:anywhere">${escapeHtml(value)}</td></tr>`,
  );
  return `<h2 style="font-size:18px;border-left:6px solid ${colour};padding-left:10px">${escapeHtml(`${nameOf(subject)}: ${subject.title}`)}</h2>
<table role="presentation">${rows.join('')}</table>
<p style="color:#5f6b7a;font-size:12px">${escapeHtml(subject.alert_id)}</p>`;
}

function asPage(title: string, body: string, link: string | null): string {
  const more = link === null ? '' : `<p><a href="${escapeHtml(link)}">More about it</a></p>`;
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>${escapeHtml(title)}</title></head>
<body style="font:14px/1.5 sans-serif;color:#16191f">${body}
${more}</body></html>`;
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

/** A subject must not begin another header. */
function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').slice(0, 200);
}
