import { parseArgs } from 'node:util';
import { benchmarkBackup } from './backup.ts';
import { benchmarkChanges } from './changes.ts';

const USAGE = `npm run bench -- backup [options]

Measures a backup and a restore through the system's own functions, and in the same run the tools people use today.

  --gigabytes 1        size of the database, on disk
  --runs 3             how often each is measured; the median counts
  --connections 2      parallel connections (the peers use two)
  --level 1            zstd level
  --output FILE        where the JSON goes (default bench/results/backup.json)

npm run bench -- changes [options]

Measures the capture and the replay of changes, psql running the same statements, and what pgbench loses to a capture.

  --changes 400000     row changes in small transactions
  --large-rows 2000000 rows of one large transaction
  --output FILE        where the JSON goes (default bench/results/changes.json)
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    gigabytes: { type: 'string', default: '1' },
    runs: { type: 'string', default: '3' },
    connections: { type: 'string', default: '2' },
    level: { type: 'string', default: '1' },
    changes: { type: 'string', default: '400000' },
    'large-rows': { type: 'string', default: '2000000' },
    output: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

const [what] = positionals;
const output = values.output ?? `bench/results/${what}.json`;
if ((what !== 'backup' && what !== 'changes') || values.help) {
  console.log(USAGE);
  process.exitCode = values.help ? 0 : 1;
} else if (what === 'changes') {
  await benchmarkChanges({ changes: Number(values.changes), largeRows: Number(values['large-rows']), output });
} else {
  await benchmarkBackup({
    gigabytes: Number(values.gigabytes),
    runs: Number(values.runs),
    connections: Number(values.connections),
    level: Number(values.level),
    output,
  });
}
