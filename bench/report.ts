import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { dirname } from 'node:path';

export interface Measurement {
  name: string;
  wallSeconds: number;
  /** null where it cannot be known. */
  cpuSeconds: number | null;
  peakBytes: number | null;
  storedBytes: number | null;
  /** Seconds that a job was seen in each of its phases. */
  phases?: ReadonlyMap<string, number>;
}

/** A measurement as a multiple of a peer's, of the same run. */
export interface Ratio {
  name: string;
  of: string;
  wall: number;
  stored: number | null;
}

const MEGABYTE = 1_000_000;

export function ratio(ours: Measurement, peer: Measurement): Ratio {
  return {
    name: ours.name,
    of: peer.name,
    wall: ours.wallSeconds / peer.wallSeconds,
    stored: ours.storedBytes === null || peer.storedBytes === null ? null : ours.storedBytes / peer.storedBytes,
  };
}

/** The middle one by wall time of several runs of the same thing. */
export function median(runs: readonly Measurement[]): Measurement {
  const sorted = [...runs].sort((a, b) => a.wallSeconds - b.wallSeconds);
  const middle = sorted[Math.floor((sorted.length - 1) / 2)];
  if (!middle) throw new Error('There is nothing to take the median of');
  return middle;
}

function table(rows: string[][]): string {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  return rows
    .map((row) =>
      row
        .map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
        .join('  '),
    )
    .join('\n');
}

const orUnknown = (value: number | null, format: (value: number) => string): string =>
  value === null ? 'unknown' : format(value);

/** Prints the measurements for a person and writes them as JSON. */
export function report(
  path: string,
  title: string,
  measurements: readonly Measurement[],
  ratios: readonly Ratio[],
): void {
  const rows = [
    ['', 'wall', 'CPU', 'peak memory', 'stored'],
    ...measurements.map(({ name, wallSeconds, cpuSeconds, peakBytes, storedBytes }) => [
      name,
      `${wallSeconds.toFixed(2)} s`,
      orUnknown(cpuSeconds, (value) => `${value.toFixed(2)} s`),
      orUnknown(peakBytes, (value) => `${Math.round(value / MEGABYTE)} MB`),
      storedBytes === null ? '' : `${(storedBytes / MEGABYTE).toFixed(1)} MB`,
    ]),
  ];
  console.log(`\n${title}\n${table(rows)}\n`);
  for (const { name, of, wall, stored } of ratios) {
    console.log(
      `${name} / ${of}: ${wall.toFixed(2)} of the wall time${stored === null ? '' : `, ${stored.toFixed(2)} of the size`}`,
    );
  }
  for (const { name, phases } of measurements) {
    if (phases) console.log(`${name}: ${phasesInWords(phases)}`);
  }
  mkdirSync(dirname(path), { recursive: true });
  const machine = { cpus: cpus().length, model: cpus()[0]?.model ?? 'unknown', memoryBytes: totalmem() };
  writeFileSync(
    path,
    `${JSON.stringify({ title, at: new Date().toISOString(), machine, measurements: measurements.map(plain), ratios }, null, 2)}\n`,
  );
  console.log(`Written to ${path}`);
}

const phasesInWords = (phases: ReadonlyMap<string, number>): string =>
  [...phases].map(([phase, seconds]) => `${phase} ${seconds.toFixed(1)} s`).join(', ');

const plain = ({ phases, ...rest }: Measurement) => ({
  ...rest,
  ...(phases ? { phases: Object.fromEntries(phases) } : {}),
});
