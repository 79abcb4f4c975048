import { join } from 'node:path';
import type { LocalSystem } from './system.ts';

/** What a person needs to know once the system runs: addresses, a token for each role, and three calls to paste. */
export function guide({
  system,
  database,
  stateFolder,
  seconds,
}: {
  system: LocalSystem;
  database: string;
  stateFolder: string;
  seconds: number;
}): string {
  const { apiUrl, tokens, services, postgres } = system;
  const api = `${apiUrl}/api/database`;
  const rows: [string, string][] = [
    ['API', api],
    ['Docs', `${api}/docs`],
    ['Mailbox', services.mailboxUrl],
    ['Logs', join(stateFolder, 'logs')],
  ];
  if (postgres) {
    rows.push([
      'Database',
      `postgres://${postgres.user}@${postgres.host}:${postgres.port}/${database}  (password: ${join(stateFolder, 'postgres-password')})`,
    ]);
  }
  const width = Math.max(...rows.map(([name]) => name.length)) + 2;
  return [
    `\nReady in ${seconds.toFixed(1)} s\n`,
    ...rows.map(([name, value]) => `  ${name.padEnd(width)}${value}`),
    '\nTokens, valid for 12 hours: paste one of these lines into your shell\n',
    ...Object.entries(tokens).map(([role, token]) => `  ${role.toUpperCase()}=${token}`),
    '\nThen, for instance\n',
    `  curl -s -H "Authorization: Bearer $VIEWER" ${api}/backups`,
    `  curl -s -H "Authorization: Bearer $OPERATOR" -H 'Content-Type: application/json' -d '{"backup_type":"full","custom_name":"my first"}' ${api}/backups`,
    `  curl -s -H "Authorization: Bearer $VIEWER" ${api}/jobs`,
    '',
  ].join('\n');
}
