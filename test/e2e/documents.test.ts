import { execFile } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import {
  ModifyDBClusterParameterGroupCommand,
  ModifyDBParameterGroupCommand,
  type Parameter,
  RDSClient,
  RebootDBInstanceCommand,
} from '@aws-sdk/client-rds';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ManagedKind } from '../../local/postgres/managed/profile.ts';
import type { RouteDefinition } from '../../shared/contract/define-route.ts';
import { routes } from '../../shared/contract/routes.ts';
import {
  blocksOf,
  documents,
  neededBy,
  placeOf,
  projectFolder,
  readDocument,
  treatmentOf,
} from '../docs/support/blocks.ts';
import { commandsOf, optionsOf } from '../docs/support/commands.ts';
import { type Ran, runDocument } from '../docs/support/run-document.ts';
import { differencesOfForm, lastJson } from '../docs/support/same-form.ts';
import { clientOptions } from '../local/aws/support.ts';
import { managedProfile } from '../support/managed-profile.ts';
import { isInstalled } from '../support/psql.ts';
import { call } from './support/api.ts';
import { readStart, runStart, type Started } from './support/start.ts';

/** In place of the clone that a reader has: all that is in the project, and a state of its own. */
let folder: string;
let running: Started | null = null;
const kind = managedProfile();
let api: Parameters<typeof call>[0];

const commandBlocks = documents.flatMap(blocksOf);
const missing = [...new Set(commandBlocks.flatMap(neededBy))].filter((program) => !isInstalled(program));
const leftOut = missing.length === 0 ? '' : ` (what needs ${missing.join(', ')} is left out: this machine lacks it)`;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'e2e-documents-'));
  // PostgreSQL may run as another user, who must get to its data.
  chmodSync(folder, 0o755);
  for (const name of readdirSync(projectFolder)) {
    if (!['.local', '.git', 'cdk.out'].includes(name)) symlinkSync(join(projectFolder, name), join(folder, name));
  }
  // The command that the README starts its tour with; another port, as its own may be taken.
  const start = blocksOf('README.md').find(
    (block) => treatmentOf(block) === 'start' && block.text.startsWith('npm start'),
  );
  const [, options = ''] = /^npm start -- ([^#\n]*)/.exec(start?.text ?? '') ?? [];
  running = runStart(folder, ...options.trim().split(/\s+/), '--port', '0');
  const printed = readStart(await running.ready());
  api = printed;
  if (kind !== null) await prepareManaged(kind, printed.row('RDS API'));
});
afterAll(async () => {
  await running?.end('SIGTERM');
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

/** What docs/platforms asks for before point-in-time recovery: parameters, and a restart. */
async function prepareManaged(kind: ManagedKind, endpoint: string): Promise<void> {
  const rds = new RDSClient(clientOptions(endpoint));
  const parameters = {
    Parameters: [
      { ParameterName: 'rds.logical_replication', ParameterValue: '1', ApplyMethod: 'pending-reboot' },
      { ParameterName: 'max_slot_wal_keep_size', ParameterValue: '10240', ApplyMethod: 'immediate' },
    ] satisfies Parameter[],
  };
  const group = 'shop-settings';
  try {
    if (kind === 'rds')
      await rds.send(new ModifyDBParameterGroupCommand({ DBParameterGroupName: group, ...parameters }));
    else
      await rds.send(new ModifyDBClusterParameterGroupCommand({ DBClusterParameterGroupName: group, ...parameters }));
    await rds.send(new RebootDBInstanceCommand({ DBInstanceIdentifier: kind === 'rds' ? 'shop' : 'shop-1' }));
  } finally {
    rds.destroy();
  }
}

const get = async (path: string) => (await call(api, path)).json;

/** All that looks after the database and can be turned off over the API. */
async function whatIsOn(): Promise<string[]> {
  const { checks, quiet_hours, maintenance } = await get('/alerts/thresholds');
  const { schedules } = await get('/backups/schedules');
  const { settings } = await get('/security/settings');
  const { masking } = { masking: await get('/security/masking') };
  return [
    ...Object.entries<{ enabled: boolean; levels: object }>(checks).flatMap(([name, { enabled, levels }]) =>
      enabled ? Object.keys(levels).map((level) => `the check ${name} at ${level}`) : [],
    ),
    ...Object.entries<{ enabled: boolean; cron: string | null }>(schedules)
      .filter(([, { enabled, cron }]) => enabled && cron !== null)
      .map(([type]) => `the schedule of ${type} backups`),
    ...masking.rules.map(({ table, column }: Record<string, string>) => `the mask of ${table}.${column}`),
    ...(settings.enable_audit ? ['the audit trail'] : []),
    ...(quiet_hours === null ? ['mails at every hour'] : []),
    ...(maintenance.length === 0 ? ['alerts at every hour'] : []),
    `sessions of ${settings.session_max_age_minutes} minutes`,
    `calls from ${settings.allowed_address_ranges}`,
  ];
}

const isOn = async (before: string[]) => expect(await whatIsOn()).toEqual(expect.arrayContaining(before));

describe(`the commands of the documents, pasted one after the other${leftOut}`, () => {
  const withCommands = documents.filter((document) => blocksOf(document).some((block) => treatmentOf(block) === 'run'));

  test.each(withCommands)('%s', async (document) => {
    const before = await whatIsOn();
    const isCompared = ({ text }: { text: string }): boolean => kind !== null && /^npm run -s compare /.test(text);
    const ran = await runDocument(document, folder, (program) => !missing.includes(program), isCompared);
    // As the README says: members of rds_superuser alone create it.
    for (const { output } of ran.filter(({ block }) => isCompared(block)))
      expect(output).toMatch(/^1 difference in .*:\nextension pg_stat_statements is only in the first\n$/);
    await isOn(before);
    // The guides are written for a server of one's own.
    const differ = answersThatDiffer(document, ran).filter(
      (line) => kind === null || !line.includes('answer.platform '),
    );
    expect(differ).toEqual([]);
  });
});

/** In what answers differ from those that the document shows below the commands. */
function answersThatDiffer(document: string, ran: Ran[]): string[] {
  const blocks = blocksOf(document);
  return blocks.flatMap((block, at) => {
    if (treatmentOf(block) !== 'answer') return [];
    const of = ran.find(({ block: { line } }) => line === blocks[at - 1]?.line);
    if (!of) return [`${placeOf(block)}: it stands below no command`];
    return differencesOfForm(JSON.parse(block.text), lastJson(of.output)).map((text) => `${placeOf(block)}: ${text}`);
  });
}

describe('docs/deploy.md', () => {
  const guide = readDocument('docs/deploy.md');
  /** What its own commands have synthesized. */
  const templates = (): [string, { Outputs?: object; Resources: Record<string, Record<string, string>> }][] =>
    readdirSync(join(folder, 'cdk.out'))
      .filter((name) => name.endsWith('.template.json'))
      .sort()
      .map((name) => [name.split('.')[0] ?? '', JSON.parse(readFileSync(join(folder, 'cdk.out', name), 'utf8'))]);

  test('reads outputs that the stack has', () => {
    const outputs = Object.keys(Object.fromEntries(templates())['dbms-api']?.Outputs ?? {});
    const read = [...guide.matchAll(/OutputKey(?:, |==)'(\w+)'/g)].map(([, name = '']) => name);
    expect(read).not.toEqual([]);
    for (const name of read)
      expect(
        outputs.filter((output) => output.includes(name)),
        name,
      ).toHaveLength(1);
  });

  test('lists what stays when the stacks are deleted', () => {
    const rows = templates().flatMap(([stack, { Resources }]) => {
      const kept = Object.values(Resources).filter(
        // Versions of functions are retained for what runs on them; they are deleted with their functions.
        ({ Type, DeletionPolicy = '' }) => Type !== 'AWS::Lambda::Version' && DeletionPolicy.startsWith('Retain'),
      );
      const types = kept.map(({ Type = '' }) => Type).sort();
      const named = [...new Set(types)].map((type) => {
        const count = types.filter((each) => each === type).length;
        return `\`${type}\`${count > 1 ? ` (${count})` : ''}`;
      });
      return named.length === 0 ? [] : [`| \`${stack}\` | ${named.join(', ')} |`];
    });
    const [, listed = ''] = /<!-- retained -->\n(.*?)<!-- \/retained -->/s.exec(guide) ?? [];
    expect(listed.trim().split('\n').slice(2)).toEqual(rows);
  });
});

test('commands of CDK are subcommands of its pinned command line, with such options', async () => {
  const commands = documents
    .flatMap(blocksOf)
    .filter((block) => treatmentOf(block) === 'aws')
    .flatMap((block) => commandsOf(block.text).map((command) => ({ command, place: placeOf(block) })))
    .filter(({ command }) => command[0] === 'npx' && command[1] === 'cdk');
  expect(commands).not.toEqual([]);
  const help = new Map<string, string>();
  for (const subcommand of new Set(commands.map(({ command }) => command[2] ?? ''))) {
    const { stdout } = await promisify(execFile)(join(projectFolder, 'node_modules/.bin/cdk'), [subcommand, '--help']);
    expect(stdout).toContain(`cdk ${subcommand}`);
    help.set(subcommand, stdout);
  }
  const unknown = commands.flatMap(({ command, place }) =>
    optionsOf(command)
      .filter((option) => !help.get(command[2] ?? '')?.includes(`--${option}`))
      .map((option) => `${place}: cdk ${command[2]} has no --${option}`),
  );
  expect(unknown).toEqual([]);
});

test('the examples of the API are accepted, and turn nothing off', async () => {
  const before = await whatIsOn();
  const examples = (routes as readonly RouteDefinition[]).filter(
    ({ bodyExample, params }) => bodyExample !== undefined && params === undefined,
  );
  const answers: string[] = [];
  for (const { method, path, bodyExample } of examples) {
    const body = { ...(bodyExample as Record<string, unknown>) };
    if ('version' in body) body.version = (await get(path)).version;
    const { status, text } = await call(api, path, { method, body });
    answers.push(`${method} ${path} ${status}${status < 300 ? '' : ` ${text}`}`);
  }
  const ofNoBackup = (answer: string) => /^POST \/restore(\/check)? 404/.test(answer);
  expect(answers.filter((answer) => !/ 20\d$/.test(answer) && !ofNoBackup(answer))).toEqual([]);
  await isOn(before);
});
