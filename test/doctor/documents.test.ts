import { expect, test } from 'vitest';
import { checks } from '../../shared/doctor/registry.ts';
import { readDocument } from '../docs/support/blocks.ts';

test('docs/doctor.md lists every check as the registry has it', () => {
  const rows = checks.map(({ id, needs, affects: { stops = [], limits = [], notes = [] } }) => {
    const all = stops.length > 9 || limits.length > 9;
    const effects = [
      ...(stops.length > 0 ? [`stops ${all ? 'everything' : stops.join(', ')}`] : []),
      ...(limits.length > 0 ? [`limits ${all ? 'everything' : limits.join(', ')}`] : []),
      ...(notes.length > 0 ? [`note on ${notes.join(', ')}`] : []),
    ];
    return `| \`${id}\` | ${needs} | ${effects.join('; ')} |`;
  });
  const document = readDocument('docs/doctor.md');
  const shown = document.split('\n').filter((line) => line.startsWith('| `'));
  expect(shown).toEqual(rows);
});
