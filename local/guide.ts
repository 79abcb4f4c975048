import { join } from 'node:path';
import { writeWhole } from './aws/state-file.ts';
import { sampleDatabase } from './sample/sample.ts';
import type { LocalSystem } from './system.ts';

/**
 * Writes `tokens` into the state folder, for nobody else to read: the API's address, a token for each role and the embedded
 * database's address, password included, as assignments that a shell takes in.
 *
 * @returns the path of the file.
 */
export async function writeTokens(
  system: LocalSystem,
  stateFolder: string,
  tokens: LocalSystem['tokens'] = system.tokens,
): Promise<string> {
  const path = join(stateFolder, 'tokens');
  const { postgres } = system;
  const database = postgres
    ? [
        `DATABASE_URL=postgres://${postgres.user}:${postgres.password}@${postgres.host}:${postgres.port}/${sampleDatabase}`,
      ]
    : [];
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
  database,
  stateFolder,
  tokensPath,
  seconds,
}: {
  system: LocalSystem;
  database: string;
  stateFolder: string;
  /** Where the tokens are written as well. */
  tokensPath: string;
  seconds: number;
}): string {
  const { services, postgres } = system;
  const api = apiOf(system);
  const rows: [string, string][] = [
    ['API', api],
    ['Docs', `${api}/docs`],
    ['Mailbox', services.mailboxUrl],
    ['Logs', join(stateFolder, 'logs')],
  ];
  if (postgres) {
    rows.push([
      'Database',
      `postgres://${postgres.user}@${postgres.host}:${postgres.port}/${database}  (with its password in ${tokensPath})`,
    ]);
  }
  const width = Math.max(...rows.map(([name]) => name.length)) + 2;
  return [
    `\nReady in ${seconds.toFixed(1)} s\n`,
    ...rows.map(([name, value]) => `  ${name.padEnd(width)}${value}`),
    `\nTokens, valid for 12 hours; your shell takes them in with\n\n  . ${tokensPath}\n\nThat file holds\n`,
    ...assignments(system).map((line) => `  ${line}`),
    '\nThen, for instance\n',
    `  curl -s -H "Authorization: Bearer $VIEWER" $API/backups`,
    `  curl -s -H "Authorization: Bearer $OPERATOR" -H 'Content-Type: application/json' -d '{"backup_type":"full","custom_name":"my first"}' $API/backups`,
    `  curl -s -H "Authorization: Bearer $VIEWER" $API/jobs`,
    '',
  ].join('\n');
}
