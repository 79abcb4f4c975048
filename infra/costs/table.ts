import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkDeployment } from '../config/load.ts';
import type { DeploymentInput } from '../config/schema.ts';
import { before } from './before.ts';
import { type Estimate, estimate, type Line, lines, recovery, storage, total } from './estimate.ts';
import { type Facts, factsOf, type Template } from './facts.ts';
import { type PricedRegion, prices, pricesOf } from './prices.ts';
import { referenceDeployment } from './reference.ts';
import { assumptions, usage } from './usage.ts';

/** For how many databases docs/costs.md tells the price. */
export const counts = [1, 10, 100] as const;

/** Settings that cost, each against the reference deployment of one database. */
export const options: readonly { readonly title: string; readonly change: Partial<DeploymentInput> }[] = [
  { title: '`cloudwatch.metrics`', change: { cloudwatch: { metrics: true } } },
  { title: '... and `cloudwatch.alarms`', change: { cloudwatch: { metrics: true, alarms: true } } },
  {
    title: '... and `cloudwatch.dashboards`',
    change: { cloudwatch: { metrics: true, alarms: true, dashboards: true } },
  },
  { title: 'drills (`drills.server`), without the restores themselves', change: { drills: { server: 'db-1' } } },
  { title: 'a sample every 10 s in place of 30', change: { thresholds: { health_check_interval_seconds: 10 } } },
];

/** A configuration and the templates that are synthesized of it. */
export interface Priced {
  readonly input: DeploymentInput;
  readonly templates: readonly Template[];
}

/** What has to be synthesized for the tables: the reference deployments, then those with an option. */
export function configurations(): DeploymentInput[] {
  return [
    ...counts.map((count) => referenceDeployment(count)),
    ...options.map(({ change }) => ({ ...referenceDeployment(1), ...change })),
  ];
}

/** The templates in a cloud assembly. */
export function readTemplates(folder: string): Template[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.template.json'))
    .map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as Template);
}

export function price({ input, templates }: Priced, region: PricedRegion): { facts: Facts; estimate: Estimate } {
  const deployment = checkDeployment(input, 'the reference');
  const facts = factsOf(templates, deployment.prefix);
  return { facts, estimate: estimate({ facts, deployment, prices: prices[region], usage }) };
}

/** Rounded twice, so that half a cent does not go by the order in which a sum was made. */
const money = (usd: number): string => Number(usd.toFixed(6)).toFixed(2);
const row = (...cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
const regions = Object.keys(prices) as PricedRegion[];

/** The part of docs/costs.md that is computed, of what {@link configurations} asked for, in its order. */
export function costTables(priced: readonly Priced[]): string {
  const now = priced.slice(0, counts.length);
  const withOptions = priced.slice(counts.length);
  return [
    `USD a month by AWS's list prices of ${pricesOf}, without free tier. *Before* is the version of ${before.of}.`,
    ...regions.flatMap((region) => ['', `### ${region}`, '', ...regionTable(now, region)]),
    '',
    '### What options cost',
    '',
    row('for one database', ...regions),
    row('---', ...regions.map(() => '---')),
    ...options.map(({ title }, index) =>
      row(title, ...regions.map((region) => `+${money(difference(withOptions[index], now[0], region))}`)),
    ),
    row('point-in-time recovery, turned on', ...regions.map((region) => `+${money(recovery(prices[region]))}`)),
    '',
    '### What the templates say',
    '',
    row('', ...counts.map((count) => `${count}`)),
    row('---', ...counts.map(() => '---')),
    ...factRows(now.map((each) => price(each, 'us-east-1').facts)),
  ].join('\n');
}

function difference(option: Priced | undefined, reference: Priced | undefined, region: PricedRegion): number {
  if (!option || !reference) throw new Error('A template is missing');
  return total(price(option, region).estimate) - total(price(reference, region).estimate);
}

function regionTable(now: readonly Priced[], region: PricedRegion): string[] {
  const estimates = now.map((each) => price(each, region).estimate);
  const former = counts.map((count) => before.estimates[region][count]);
  const [first, , last] = estimates.map(total);
  const cells = (of: (each: Estimate) => number): string[] =>
    counts.flatMap((_, index) => {
      const [then, after] = [former[index], estimates[index]];
      return then && after ? [money(of(then)), money(of(after))] : [];
    });
  const further = ((last ?? 0) - (first ?? 0)) / (counts[2] - 1);
  const kept = counts.flatMap((count) => Array.from({ length: 2 }, () => money(storage(count, prices[region]))));
  return [
    row('databases', ...counts.flatMap((count) => [`${count}, before`, `${count}`])),
    row('---', ...counts.flatMap(() => ['---', '---'])),
    ...(Object.keys(lines) as Line[]).map((line) => row(lines[line], ...cells((each) => each[line]))),
    row('**in all**', ...cells(total).map((cell) => `**${cell}**`)),
    row(`storage of backups of ${assumptions.databaseGigabytes} GB each`, ...kept),
    '',
    `The first database costs ${money(first ?? 0)}, each further ${money(further)}.`,
  ];
}

function factRows(facts: readonly Facts[]): string[] {
  const rowOf = (title: string, of: (each: Facts) => number): string =>
    row(title, ...facts.map((each) => String(Math.round(of(each)))));
  return [
    rowOf('alarms', ({ alarms }) => alarms),
    rowOf('metrics that alarms watch', ({ alarmMetrics }) => alarmMetrics),
    rowOf('dashboards', ({ dashboards }) => dashboards),
    rowOf('KMS keys', ({ kmsKeys }) => kmsKeys),
    rowOf('functions', ({ functions }) => functions.length),
    rowOf('invocations by schedule in a month', ({ functions }) =>
      functions.reduce((sum, { scheduled, queued }) => sum + scheduled + queued, 0),
    ),
    rowOf('invocations of the sampler among them', ({ functions }) =>
      functions.reduce((sum, each) => (each.name === 'sample-health' ? sum + each.scheduled + each.queued : sum), 0),
    ),
    rowOf('resources of the largest stack, of 500', ({ resourcesOfLargestStack }) => resourcesOfLargestStack),
  ];
}

const BEGIN = '<!-- computed: npm run costs -->';
const END = '<!-- end of what is computed -->';

/** Puts the tables into the text of docs/costs.md. @throws Error when it has no place for them */
export function withTables(text: string, tables: string): string {
  const [from, until] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (from < 0 || until < from) throw new Error(`The text has no "${BEGIN}" and "${END}"`);
  return `${text.slice(0, from + BEGIN.length)}\n\n${tables}\n\n${text.slice(until)}`;
}
