import { parseArgs } from 'node:util';
import { benchmarkAudit } from './audit.ts';
import { benchmarkBackup } from './backup.ts';
import { benchmarkChanges } from './changes.ts';
import { benchmarkMasking } from './masking.ts';
import { benchmarkRound } from './round.ts';
import { benchmarkSampling } from './sampling.ts';

const USAGE = `npm run bench -- backup [options]

Measures a backup and a restore through the system's own functions, and in the same run the tools people use today.

  --gigabytes 1        size of the database, on disk
  --runs 3             how often each is measured; the median counts
  --connections 2      parallel connections (the peers use two)
  --level 1            zstd level
  --watch              looks at the jobs every 50 ms and tells the seconds in each of their phases; that slows them down
  --output FILE        where the JSON goes (default bench/results/<benchmark>.json)

npm run bench -- sampling [options]

Measures what a sample of a database's health takes on a crowded server, and what sampling every 5 s costs pgbench.

  --sessions 1000      idle sessions
  --tables 20000       tables
  --pairs 60           stretches of pgbench with and without sampling
  --seconds 10         of each stretch

npm run bench -- changes [options]

Measures the capture and the replay of changes, psql running the same statements, and what pgbench loses to a capture.

  --changes 400000     row changes in small transactions
  --large-rows 2000000 rows of one large transaction

npm run bench -- masking [options]

Measures the processor time that masking takes of COPY text: rows of customers with a third of the columns masked.

  --megabytes 400      of COPY text in each run
  --runs 3             how often; the median counts

npm run bench -- round [options]

Measures what one round of the sampler takes of Lambda, DynamoDB and the log, for infra/costs/usage.ts.

  --rounds 60          rounds measured; the mean counts

npm run bench -- audit [options]

Measures what readers of the API at the same time wait for the audit trail, as multiples of what one waits, and verifies the chain.

  --readers 50         that read all the time, each through an instance of the function
  --reads 20           of each reader
  --writers 200        that append to one chain at once
  --latency 250        milliseconds that each answer of DynamoDB takes longer
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    gigabytes: { type: 'string', default: '1' },
    runs: { type: 'string', default: '3' },
    connections: { type: 'string', default: '2' },
    level: { type: 'string', default: '1' },
    watch: { type: 'boolean', default: false },
    output: { type: 'string' },
    sessions: { type: 'string', default: '1000' },
    tables: { type: 'string', default: '20000' },
    pairs: { type: 'string', default: '60' },
    seconds: { type: 'string', default: '10' },
    changes: { type: 'string', default: '400000' },
    'large-rows': { type: 'string', default: '2000000' },
    rounds: { type: 'string', default: '60' },
    megabytes: { type: 'string', default: '400' },
    readers: { type: 'string', default: '50' },
    reads: { type: 'string', default: '20' },
    writers: { type: 'string', default: '200' },
    latency: { type: 'string', default: '250' },
    help: { type: 'boolean', default: false },
  },
});

const [benchmark] = positionals;
const output = values.output ?? `bench/results/${benchmark}.json`;
if (benchmark === 'sampling' && !values.help) {
  await benchmarkSampling({
    sessions: Number(values.sessions),
    tables: Number(values.tables),
    pairs: Number(values.pairs),
    seconds: Number(values.seconds),
    output,
  });
} else if (benchmark === 'changes' && !values.help) {
  await benchmarkChanges({ changes: Number(values.changes), largeRows: Number(values['large-rows']), output });
} else if (benchmark === 'masking' && !values.help) {
  benchmarkMasking({ megabytes: Number(values.megabytes), runs: Number(values.runs), output });
} else if (benchmark === 'audit' && !values.help) {
  await benchmarkAudit({
    readers: Number(values.readers),
    reads: Number(values.reads),
    writers: Number(values.writers),
    latency: Number(values.latency),
    output,
  });
} else if (benchmark === 'round' && !values.help) {
  await benchmarkRound({ rounds: Number(values.rounds), output });
} else if (benchmark !== 'backup' || values.help) {
  console.log(USAGE);
  process.exitCode = values.help ? 0 : 1;
} else {
  await benchmarkBackup({
    gigabytes: Number(values.gigabytes),
    runs: Number(values.runs),
    connections: Number(values.connections),
    level: Number(values.level),
    watch: values.watch,
    output,
  });
}
