import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { rules } from '../../../shared/security/compliance/registry.ts';
import type { Context } from '../../../shared/security/compliance/rule.ts';

type Server = Record<string, unknown>;
const setting = (value: string, context: string) => ({ value, context, source: 'default' });
const server: Server = {
  version: 160_004,
  sees_all_settings: true,
  database: 'shop',
  settings: {
    log_connections: setting('off', 'superuser-backend'),
    shared_preload_libraries: setting("it's", 'postmaster'),
    data_directory: setting('/data', 'internal'),
  },
};

/** What mends a rule that a server of this kind breaks. */
function mendOf(id: string, place: Partial<Context['database']>) {
  const known = rules.find(({ rule }) => rule.id === id)?.rule;
  const database = { id: 'shop', kind: 'rds', name: 'shop', host: 'h.example', ...place } as Context['database'];
  const judged = known?.judge(server as never, { now: Date.now(), database });
  if (judged?.status !== 'fail') throw new Error(`${id} is ${judged?.status}`);
  return judged.mend;
}

const groups = `
aws() {
  case "$2" in
    describe-db-instances) case "$*" in *DBClusterIdentifier*) echo orders ;; *) echo 'group of the instance' ;; esac ;;
    describe-db-clusters) case "$*" in *IsClusterWriter*) echo writer ;; *) echo "group of $4" ;; esac ;;
    *) printf '%s\\n' "$@" ;;
  esac
}
`;
/** The words that the CLI would be given, once a shell has read a statement; groups and writers are told by their commands. */
const read = (statement: string): string[] =>
  execFileSync('bash', ['-c', `${groups}${statement}`], { encoding: 'utf8' })
    .trimEnd()
    .split('\n');

const rds = { kind: 'rds', host: 'shop.cabc.eu-central-1.rds.amazonaws.com' } as const;
const cluster = { kind: 'aurora', host: 'ledger.cluster-cabc.eu-central-1.rds.amazonaws.com' } as const;
const member = { kind: 'aurora', host: 'orders-1.cabc.eu-central-1.rds.amazonaws.com' } as const;
const inInstance = ['rds', 'modify-db-parameter-group', '--db-parameter-group-name', 'group of the instance'];
const inCluster = (name: string) => [
  ...['rds', 'modify-db-cluster-parameter-group', '--db-cluster-parameter-group-name'],
  `group of ${name}`,
];

test.each([
  ['of an RDS instance, in its parameter group', rds, inInstance],
  ['of an Aurora cluster, in the parameter group of the cluster', cluster, inCluster('ledger')],
  ['of a member of one, in the parameter group of its cluster', member, inCluster('orders')],
])('a setting is mended at once: %s', (_, place, words) => {
  const mend = mendOf('log_connections', place);
  expect(mend.map(({ by }) => by)).toEqual(['aws']);
  const [name = '', ...rest] = read(mend[0]?.statement ?? '').reverse();
  expect(rest.reverse()).toEqual([...words, '--parameters']);
  const ApplyMethod = 'immediate';
  expect(JSON.parse(name)).toEqual([{ ParameterName: 'log_connections', ParameterValue: 'on', ApplyMethod }]);
});

test.each([
  ['an RDS instance', rds, 'shop'],
  ['an RDS instance that is named', { ...rds, instance_id: 'shop-a' }, 'shop-a'],
  ['an Aurora cluster, its writer', cluster, 'writer'],
])('a setting that needs it restarts %s, and keeps what the list has', (_, place, instance) => {
  const [change, restart] = mendOf('pgaudit_loaded', place).map(({ statement }) => read(statement));
  const [parameter] = JSON.parse(change?.at(-1) ?? '');
  expect(parameter).toMatchObject({ ParameterName: 'shared_preload_libraries', ApplyMethod: 'pending-reboot' });
  expect(parameter.ParameterValue.split(',')).toEqual(["it's", 'pgaudit']);
  expect(restart).toEqual(['rds', 'reboot-db-instance', '--db-instance-identifier', instance]);
});

test('a server of its own is mended by statements', () => {
  const mend = mendOf('log_connections', { kind: 'self-managed' });
  expect(mend).toEqual([
    { by: 'sql', statement: `ALTER SYSTEM SET "log_connections" = 'on';` },
    { by: 'sql', statement: 'SELECT pg_catalog.pg_reload_conf();' },
  ]);
});
