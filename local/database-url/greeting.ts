import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import type { DatabaseAddress } from './settings.ts';

/** How what listens at an address answers the question for TLS, with which every session of PostgreSQL may begin. */
export type Greeting =
  | { is: 'postgres'; hasTls: boolean | 'unknown' }
  /** It said something else; its first line, as far as it can be shown. */
  | { is: 'other'; said: string }
  /** It took the connection, and ended it or said nothing. */
  | { is: 'closed' | 'silent' }
  /** There was no connection: the network's error, or nothing in time. */
  | { is: 'unreachable'; code: string; message: string };

/** @see https://www.postgresql.org/docs/current/protocol-message-formats.html */
const sslRequest = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);

/** Asks what listens at an address; never waits longer than `milliseconds`. */
export async function greet(
  { host, port }: Pick<DatabaseAddress, 'host' | 'port'>,
  milliseconds: number,
): Promise<Greeting> {
  const socket: Socket = host.startsWith('/')
    ? connect({ path: join(host, `.s.PGSQL.${port}`) })
    : connect({ host, port });
  let isConnected = false;
  try {
    return await new Promise<Greeting>((resolve) => {
      const timer = setTimeout(
        () => resolve(isConnected ? { is: 'silent' } : { is: 'unreachable', code: 'ETIMEDOUT', message: 'no answer' }),
        milliseconds,
      );
      const answer = (greeting: Greeting): void => {
        clearTimeout(timer);
        resolve(greeting);
      };
      socket.once('connect', () => {
        isConnected = true;
        socket.write(sslRequest);
      });
      socket.once('data', (bytes: Buffer) => answer(read(bytes)));
      socket.once('error', (error: NodeJS.ErrnoException) => {
        if (isConnected) answer({ is: 'closed' });
        else answer({ is: 'unreachable', code: error.code ?? '', message: error.message });
      });
      socket.once('close', () => answer({ is: 'closed' }));
    });
  } finally {
    socket.destroy();
  }
}

function read(bytes: Buffer): Greeting {
  if (bytes.length === 1 && bytes[0] === 0x53) return { is: 'postgres', hasTls: true };
  if (bytes.length === 1 && bytes[0] === 0x4e) return { is: 'postgres', hasTls: false };
  // An ErrorResponse: its length, then a field with its one letter, of which the severity is the first.
  if (bytes[0] === 0x45 && bytes.length > 5 && bytes.readUInt32BE(1) < 30_000 && bytes[5] === 0x53)
    return { is: 'postgres', hasTls: 'unknown' };
  return { is: 'other', said: shown(bytes.toString('latin1').split(/[\r\n]/)[0] ?? '', 60) };
}

/** What others said, fit for a terminal. */
export function shown(text: string, length = 300): string {
  const plain = text.replaceAll(/[^\x20-\x7e\u00a1-\u2027\u2030-\u2065\u206a-\ud7ff\uf900-\ufffd]+/g, ' ').trim();
  return plain.length > length ? `${plain.slice(0, length)}...` : plain;
}
