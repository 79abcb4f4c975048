import { spawn } from 'node:child_process';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** Something that listens on a port of loopback. */
export interface Listener {
  port: number;
  close(): Promise<void>;
}

/** Listens, and does with each connection what it is told. */
export async function listener(taken: (socket: Socket) => void): Promise<Listener> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    taken(socket);
  });
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  return {
    port: (server.address() as { port: number }).port,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((closed) => server.close(closed));
    },
  };
}

/** Says something as soon as it is asked, and nothing more. */
export const speaker = (text: string): Promise<Listener> =>
  listener((socket) => socket.once('data', () => socket.write(text)));

/**
 * A port whose connections never come about, as behind a firewall that drops packets: its process is stopped, and the queue of the
 * connections that it has not accepted is full.
 */
export async function unanswered(): Promise<Listener> {
  const script = `const server = require('node:net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 },
    () => process.stdout.write(String(server.address().port)))`;
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const port = await new Promise<number>((told) => child.stdout.once('data', (text) => told(Number(text))));
  child.kill('SIGSTOP');
  const queued = Array.from({ length: 8 }, () => connect({ port, host: '127.0.0.1' }).on('error', () => undefined));
  await new Promise((passed) => setTimeout(passed, 200));
  return {
    port,
    async close() {
      for (const socket of queued) socket.destroy();
      const ended = new Promise((exit) => child.once('exit', exit));
      child.kill('SIGKILL');
      await ended;
    },
  };
}

const int32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};
const int16 = (value: number): Buffer => int32(value).subarray(2);
const text = (value: string): Buffer => Buffer.from(`${value}\0`);
const message = (type: string, ...parts: Buffer[]): Buffer => {
  const body = Buffer.concat(parts);
  return Buffer.concat([Buffer.from(type), int32(body.length + 4), body]);
};

/** An error as a server sends it. */
export const errorMessage = (code: string, words: string): Buffer =>
  message('E', text('SFATAL'), text('VFATAL'), text(`C${code}`), text(`M${words}`), Buffer.from([0]));

/** Speaks just enough of the protocol, without TLS: `startUp` answers the start of a session, `queries` each query. */
export function fakePostgres(startUp: Buffer, queries?: (query: string) => Buffer): Promise<Listener> {
  return listener((socket) =>
    socket.on('data', (bytes: Buffer) => {
      if (bytes.length === 8) socket.write('N');
      else if (bytes[0] === 0x51) socket.write(queries?.(bytes.toString()) ?? '');
      else if (bytes[0] === 0x58) socket.end();
      else socket.write(startUp);
    }),
  );
}

const ready = message('Z', Buffer.from('I'));

/** What a server without a password says when a session begins. */
export const welcome = Buffer.concat([message('R', int32(0)), message('K', int32(1), int32(1)), ready]);
/** What one says that wants the password as it is. */
export const cleartextPassword = message('R', int32(3));

type Row = Readonly<Record<string, string | number | readonly never[]>>;

/** The answer to a message of as many statements as there are rows: one row each, of texts, numbers and empty arrays of texts. */
export function rowsOf(...rows: readonly Row[]): Buffer {
  return Buffer.concat([...rows.map(resultOf), ready]);
}

/** What every session asks at its start: its process, and which settings the server knows. */
export const sessionStarted = rowsOf({ pid: 1 }, { known: [] });

function resultOf(row: Row): Buffer {
  const typeOf = (value: Row[string]) => (typeof value === 'number' ? 23 : Array.isArray(value) ? 1009 : 25);
  const columns = Object.entries(row).map(([name, value]) =>
    Buffer.concat([text(name), int32(0), int16(0), int32(typeOf(value)), int16(-1), int32(-1), int16(0)]),
  );
  const cells = Object.values(row).map((value) => {
    const bytes = Buffer.from(Array.isArray(value) ? '{}' : String(value));
    return Buffer.concat([int32(bytes.length), bytes]);
  });
  const count = int16(columns.length);
  return Buffer.concat([
    message('T', count, ...columns),
    message('D', count, ...cells),
    message('C', text('SELECT 1')),
  ]);
}
