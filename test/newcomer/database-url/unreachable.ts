import { freePort } from '../../support/postgres-server.ts';
import type { Fault } from '../fault.ts';
import {
  cleartextPassword,
  errorMessage,
  fakePostgres,
  type Listener,
  listener,
  rowsOf,
  sessionStarted,
  speaker,
  unanswered,
  welcome,
} from './listeners.ts';

const secret = 'Tr0ub4dor';
const urlTo = (port: number | string, query = ''): string[] => [
  '--database-url',
  `postgres://me:${secret}@127.0.0.1:${port}/shop${query}`,
];

const row = (name: string, open: () => Promise<Listener>, says: RegExp[], query = ''): Fault => ({
  name: `server: ${name}`,
  async arrange() {
    const { port, close } = await open();
    return { options: urlTo(port, query), exitCode: 1, says: [...says, /^ {2}Hint: \S/m], secret, close };
  },
});

/** Addresses at which there is no PostgreSQL that could be logged in to. */
export const unreachableServers: readonly Fault[] = [
  {
    name: 'server: no host of that name',
    arrange: () => ({
      options: ['--database-url', `postgres://me:${secret}@nowhere.invalid/shop`],
      exitCode: 1,
      says: [/no host named nowhere\.invalid|nowhere\.invalid was not resolved/, /Hint: Check/],
      secret,
    }),
  },
  {
    name: 'server: nothing listens',
    arrange: async () => ({
      options: urlTo(await freePort()),
      exitCode: 1,
      says: [/nothing listens on 127\.0\.0\.1:\d+/, /Hint: Check the host and the port/],
      secret,
    }),
  },
  {
    name: 'server: no socket',
    arrange: (folder) => ({
      options: ['--database-url', `postgres://me:${secret}@/shop?host=${encodeURIComponent(folder)}`],
      exitCode: 1,
      says: [/there is no socket \S+\/\.s\.PGSQL\.5432/, /unix_socket_directories/],
      secret,
    }),
  },
  row('never answers', unanswered, [/did not answer within 1\.8 s/, /firewall/, /connect_timeout=10/]),
  row('never answers, with a connect_timeout', unanswered, [/did not answer within 1 s/], '?connect_timeout=1'),
  row('accepts and stays silent', () => listener(() => undefined), [/accepts connections, but said nothing/]),
  row('closes at once', () => listener((socket) => socket.destroy()), [/closed it without a word/]),
  row('a web server', () => speaker('HTTP/1.1 400 Bad Request\r\n\r\n'), [
    /is not PostgreSQL: it answered "HTTP\/1\.1 400 Bad Request"/,
  ]),
  row('an SSH server', () => speaker('SSH-2.0-OpenSSH_9.9\r\n'), [/is not PostgreSQL: it answered "SSH-2\.0/]),
  row('speaks, then stays silent', () => fakePostgres(Buffer.alloc(0)), [/did not complete the login within 1\.8 s/]),
  row('is starting up', () => fakePostgres(errorMessage('57P03', 'the database system is starting up')), [
    /is not ready; the server said: the database system is starting up/,
    /Start again in a moment/,
  ]),
  row('takes no more sessions', () => fakePostgres(errorMessage('53300', 'sorry, too many clients already')), [
    /has no connection left; the server said: sorry, too many clients already/,
    /max_connections/,
  ]),
  row('version 12', () => {
    const facts = rowsOf({ version: '12.22 (Debian)', version_number: 120_022, is_encrypted: 'f' });
    return fakePostgres(welcome, (query) => (query.includes('set_config') ? sessionStarted : facts));
  }, [/runs PostgreSQL 12\.22/, /versions from 13 on/]),
  row('repeats the password', async () => {
    const refusal = errorMessage('28P01', `no ${secret}\u001b[31m here`);
    return listener((socket) =>
      socket.on('data', (bytes: Buffer) => {
        if (bytes.length === 8) socket.write('N');
        else socket.write(bytes[0] === 0x70 ? refusal : cleartextPassword);
      }),
    );
  }, [/refused the password of user "me"/]),
];
