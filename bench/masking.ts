import { factsOfType } from '../shared/masking/column.ts';
import { type Mask, maskSchema } from '../shared/masking/rules/registry.ts';
import { createTableMasker } from '../shared/masking/table-masker.ts';
import { type Measurement, median, report } from './report.ts';

export interface MaskingOptions {
  /** Of COPY text in each run. */
  megabytes: number;
  runs: number;
  output: string;
}

const MEGABYTE = 1_000_000;
/** As `copyOut` hands it over. */
const BLOCK_BYTES = 1_048_576;
/** Text that is made once and masked again and again. */
const TEXT_BYTES = 40 * MEGABYTE;

const columns = [
  'id',
  'name',
  'email',
  'phone',
  'street',
  'postal_code',
  'country',
  'born',
  'status',
  'balance',
  'tags',
  'settings',
  'note',
  'created_at',
  'updated_at',
];

type Rules = Record<string, { type: string; mask: Mask }>;

const rulesOf = (given: readonly (readonly [column: string, type: string, mask: object])[]): Rules =>
  Object.fromEntries(given.map(([column, type, mask]) => [column, { type, mask: maskSchema.parse(mask as Mask) }]));

/** A third of the columns. */
const rules = rulesOf([
  ['name', 'text', { rule: 'name' }],
  ['email', 'text', { rule: 'email' }],
  ['phone', 'text', { rule: 'phone' }],
  ['street', 'text', { rule: 'address', part: 'street' }],
  ['born', 'date', { rule: 'date_shift' }],
]);

/** Values that hold others. */
const within = rulesOf([
  ['tags', '_text', { rule: 'keep_format' }],
  ['settings', 'jsonb', { rule: 'json', paths: { '$.language': { rule: 'keep_format' } } }],
]);

function row(number: number): string {
  const at = new Date(1_600_000_000_000 + number * 7919).toISOString().replace('T', ' ').replace('Z', '+00');
  return [
    number,
    `Person ${number} of ${(number * 7919) % 9973}`,
    `person.${number}@mail${number % 97}.example`,
    `+43 660 ${1_000_000 + ((number * 7919) % 8_999_999)}`,
    `${number % 200} Long Street of Things`,
    10_000 + (number % 89_999),
    'AT',
    `19${50 + (number % 50)}-0${1 + (number % 9)}-1${number % 10}`,
    number % 3 === 0 ? 'active' : 'waiting',
    ((number * 131) % 100_000) / 100,
    `{red,green,item${number % 1000}}`,
    `{"theme": "dark", "language": "de", "page_size": ${number % 100}}`,
    number % 5 === 0 ? '\\N' : `Ordered by telephone, ${number} times\\nasked for a call back on a Monday`,
    at,
    at,
  ].join('\t');
}

function makeBlocks(): Buffer[] {
  const parts: Buffer[] = [];
  for (let number = 1, bytes = 0; bytes < TEXT_BYTES; number++) {
    const part = Buffer.from(`${row(number)}\n`);
    parts.push(part);
    bytes += part.length;
  }
  const text = Buffer.concat(parts);
  return Array.from({ length: Math.ceil(text.length / BLOCK_BYTES) }, (_, index) =>
    text.subarray(index * BLOCK_BYTES, (index + 1) * BLOCK_BYTES),
  );
}

function mask(name: string, blocks: readonly Buffer[], megabytes: number, masked: readonly string[]): Measurement {
  const planned = masked.map((column) => {
    const { type = 'text', mask: each = maskSchema.parse({ rule: 'hash' }) } = rules[column] ?? within[column] ?? {};
    const modes = { ignoresCase: false, isKey: false, isNullable: true };
    const base = { modifier: -1, schema: 'pg_catalog' };
    const element = type.startsWith('_') ? { name: type.slice(1), ...base } : null;
    return { column, mask: each, facts: factsOfType({ name: type, element, ...base }, modes) };
  });
  const masker = createTableMasker(columns, planned, Buffer.alloc(32, 1));
  if (!masker) throw new Error('Nothing is masked');
  let read = 0;
  let written = 0;
  const began = performance.now();
  const used = process.cpuUsage();
  for (let index = 0; read < megabytes * MEGABYTE; index++) {
    const block = blocks[index % blocks.length] as Buffer;
    read += block.length;
    written += masker.transform(block).length;
  }
  const { user, system } = process.cpuUsage(used);
  const cpuSeconds = (user + system) / 1e6;
  return {
    name: `${name}: ${(read / MEGABYTE / cpuSeconds).toFixed(0)} MB/s of a core`,
    wallSeconds: (performance.now() - began) / 1000,
    cpuSeconds,
    peakBytes: process.memoryUsage().rss,
    storedBytes: written,
  };
}

/** Measures what masking takes of a core, as COPY text that goes in. */
export function benchmarkMasking({ megabytes, runs, output }: MaskingOptions): void {
  const blocks = makeBlocks();
  const of = (name: string, masked: readonly string[], count = runs) =>
    median(Array.from({ length: count }, () => mask(name, blocks, megabytes, masked)));
  const all = Object.keys(rules);
  of('warm-up', all, 1);
  const measurements = [
    of(`${all.length} of ${columns.length} columns`, all),
    ...Object.entries({ ...rules, ...within }).map(
      ([
        column,
        {
          mask: { rule },
        },
      ]) => of(`${column} alone, by ${rule}`, [column]),
    ),
  ];
  report(output, 'Masking', measurements, []);
}
