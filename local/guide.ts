import { join } from 'node:path';
import { quoteShell } from '../shared/quote-shell.ts';
import { writeWhole } from './aws/state-file.ts';
import { sampleDatabase } from './sample/sample.ts';
import type { LocalSystem } from './system.ts';

/** Where the managed database is: to be shown, and whole, with its password, for psql. */
export interface ShownAddress {
  readonly shown: string;
  readonly whole: string;
}

/** The address of the sample shop in the embedded server. */
export function sampleAddress({ postgres }: LocalSystem): ShownAddress | null {
  if (!postgres) return null;
  const { user, password, host, port } = postgres;
  const place = `${host}:${port}/${sampleDatabase}`;
  return { shown: `postgres://${user}@${place}`, whole: `postgres://${user}:${password}@${place}` };
}

/**
 * Writes `tokens` into the state folder, for nobody else to read: the API's address, a new token for each role and the managed
 * database's address, password included, as assignments that a shell takes in.
 *
 * @returns the path of the file.
 */
export async function writeTokens(
  system: LocalSystem,
  address: ShownAddress | null,
  stateFolder: string,
  tokens: LocalSystem['tokens'] = system.tokens,
): Promise<string> {
  const path = join(stateFolder, 'tokens');
  const database = address ? [`DATABASE_URL=${quoteShell(address.whole)}`] : [];
  // Exported, so that programs of one's own and those of package.json see them too.
  const lines = [...assignments(system, tokens), ...database].map((line) => `export ${line}\n`);
  await writeWhole(path, lines.join(''));
  return path;
}

function assignments(system: LocalSystem, given: LocalSystem['tokens'] = system.tokens): string[] {
  const tokens = Object.entries(given).map(([role, token]) => `${role.toUpperCase()}=${token}`);
  return [`API=${apiOf(system)}`, ...tokens];
}

const apiOf = ({ apiUrl }: LocalSystem) => `${apiUrl}/api/database`;

/** What a person needs to know once the system runs: addresses, a token for each role, and three calls to paste. */
export function guide({
  system,
  address,
  stateFolder,
  tokensPath,
  seconds,
  inTerminal = false,
}: {
  system: LocalSystem;
  address: ShownAddress | null;
  stateFolder: string;
  /** Where the tokens are written as well. */
  tokensPath: string;
  seconds: number;
  /** For somebody who reads: the tokens, which would fill the screen and stay in its history, are in their file alone. */
  inTerminal?: boolean | undefined;
}): string {
  const { services } = system;
  const api = apiOf(system);
  const rows: [string, string][] = [
    ['API', api],
    ['Docs', `${api}/docs`],
    ['Mailbox', services.mailboxUrl],
    ['Logs', join(stateFolder, 'logs')],
  ];
  if (system.managed) {
    const kind = system.managed.kind === 'rds' ? 'Amazon RDS' : 'Amazon Aurora';
    rows.push(
      ['Managed', `as ${kind} is; what that means is in docs/managed-servers.md`],
      ['RDS API', services.endpoints.rds],
    );
  }
  if (address) rows.push(['Database', address.shown]);
  const width = Math.max(...rows.map(([name]) => name.length)) + 2;
  return [
    `\nReady in ${seconds.toFixed(1)} s\n`,
    ...rows.map(([name, value]) => `  ${name.padEnd(width)}${value}`),
    `\nThe tokens are valid for 12 hours. Load them into your shell with\n\n  . ${tokensPath}\n`,
    `The file sets API, a token for each role (VIEWER, OPERATOR, ADMIN, AUDITOR)${address ? ',\nand DATABASE_URL, the address of the database with its password' : ''}.`,
    ...(inTerminal ? [] : ['', ...assignments(system).map((line) => `  ${line}`)]),
    '\nThen, for instance\n',
    `  curl -s -H "Authorization: Bearer $VIEWER" $API/backups`,
    '  curl -s -H "Authorization: Bearer $OPERATOR" \\',
    `    -H 'Content-Type: application/json' \\`,
    `    -d '{"backup_type":"full","custom_name":"my first"}' $API/backups`,
    '  curl -s -H "Authorization: Bearer $VIEWER" $API/jobs',
    '',
  ].join('\n');
}
