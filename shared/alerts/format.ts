/** A value in words: shares as percent, times and sizes in the unit that fits. */
export function formatValue(value: number | null, unit: string): string {
  if (value === null) return 'unknown';
  switch (unit) {
    case 'Ratio':
      return `${rounded(value * 100)} %`;
    case 'Seconds':
      return formatSeconds(value);
    case 'Milliseconds':
      return value >= 10_000 ? formatSeconds(value / 1000) : `${rounded(value)} ms`;
    case 'Bytes':
      return formatBytes(value);
    case 'Bytes/Second':
      return `${formatBytes(value)}/s`;
    case 'Count/Second':
      return `${rounded(value)}/s`;
    case 'Days':
      return `${rounded(value)} days`;
    case 'Deviations':
      return `${rounded(value)} times the usual deviation`;
    default:
      return rounded(value);
  }
}

function formatSeconds(seconds: number): string {
  if (seconds < 60) return `${rounded(seconds)} s`;
  if (seconds < 3600) return `${rounded(seconds / 60)} min`;
  if (seconds < 172_800) return `${rounded(seconds / 3600)} h`;
  return `${rounded(seconds / 86_400)} days`;
}

function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, Math.abs(bytes))) / 3));
  return `${rounded(bytes / 1000 ** power)} ${units[power]}`;
}

/** Three digits, or all before the point. */
function rounded(value: number): string {
  return String(Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3)));
}

const BARS = '▁▂▃▄▅▆▇█';
const MOST_BARS = 40;

/** Values as a line of bars, oldest first; of many, each bar shows the highest of its part. Empty for fewer than two values. */
export function sparkline(values: readonly number[]): string {
  if (values.length < 2) return '';
  const count = Math.min(MOST_BARS, values.length);
  const parts = Array.from({ length: count }, (_, index) => {
    const from = Math.floor((index * values.length) / count);
    const to = Math.floor(((index + 1) * values.length) / count);
    return Math.max(...values.slice(from, to));
  });
  const [low, high] = [Math.min(...parts), Math.max(...parts)];
  const height = (value: number): number => (high === low ? 0 : Math.round(((value - low) / (high - low)) * 7));
  return parts.map((value) => BARS[height(value)]).join('');
}
