import { parseArgs } from 'node:util';
import { benchmarkBackup } from './backup.ts';

const USAGE = `npm run bench -- backup [options]

Measures a backup and a restore through the system's own functions, and in the same run the tools people use today.

  --gigabytes 1        size of the database, on disk
  --runs 3             how often each is measured; the median counts
  --connections 2      parallel connections (the peers use two)
  --level 1            zstd level
  --output FILE        where the JSON goes (default bench/results/backup.json)
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    gigabytes: { type: 'string', default: '1' },
    runs: { type: 'string', default: '3' },
    connections: { type: 'string', default: '2' },
    level: { type: 'string', default: '1' },
    output: { type: 'string', default: 'bench/results/backup.json' },
    help: { type: 'boolean', default: false },
  },
});

if (positionals[0] !== 'backup' || values.help) {
  console.log(USAGE);
  process.exitCode = values.help ? 0 : 1;
} else {
  await benchmarkBackup({
    gigabytes: Number(values.gigabytes),
    runs: Number(values.runs),
    connections: Number(values.connections),
    level: Number(values.level),
    output: values.output,
  });
}
