import type { SettingChange } from '../platform.ts';

/** Units of `pg_settings`, and of values as PostgreSQL reads them, in the smallest of their kind. */
const UNITS: Readonly<Record<string, number>> = {
  us: 0.001,
  ms: 1,
  s: 1000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  B: 1,
  kB: 1024,
  '8kB': 8192,
  MB: 1_048_576,
  '16MB': 16_777_216,
  GB: 1_073_741_824,
  TB: 1_099_511_627_776,
};

/**
 * A value as parameter groups take it: numbers without a unit, in that of the setting, and 1 or 0 for on and off. The settings' own
 * spelling is refused there: Amazon RDS User Guide, "Parameter groups".
 */
export function groupValue({ name, values, known }: Pick<SettingChange, 'name' | 'values' | 'known'>): string {
  const all = name === 'shared_preload_libraries' ? values.filter((each) => !OWN_LIBRARY.test(each)) : values;
  const value = all.join(',');
  if (known?.type === 'bool') return value === 'on' ? '1' : value === 'off' ? '0' : value;
  const [, number, unit] = /^(-?\d+)\s*([A-Za-z]+)$/.exec(value) ?? [];
  if (number === undefined || unit === undefined || !known?.unit) return value;
  const [from, to] = [UNITS[unit], UNITS[known.unit]];
  return from === undefined || to === undefined ? value : String(Math.round((Number(number) * from) / to));
}

/** Libraries that AWS loads by itself: the server names them, and the group does not take them. */
const OWN_LIBRARY = /^(?:rds|aurora)/;

/** Whether a group takes a value, by its `AllowedValues`. What cannot be read there is not held against it. */
export function isAllowed(value: string, allowed: string | null): boolean {
  if (allowed === null) return true;
  const [, least, most] = /^(-?\d+(?:\.\d+)?)-(-?\d+(?:\.\d+)?)$/.exec(allowed) ?? [];
  if (least !== undefined) {
    const number = Number(value);
    return value !== '' && number >= Number(least) && number <= Number(most);
  }
  const names = new Set(allowed.split(',').map((each) => each.trim()));
  return names.has(value) || value.split(',').every((each) => names.has(each.trim()));
}
