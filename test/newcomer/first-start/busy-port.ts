import { createServer } from 'node:net';

/** Another program listens where the API should. */
export const busyPort = {
  name: 'a port in use',
  async arrange(_folder: string) {
    const other = createServer();
    await new Promise<void>((ready) => other.listen(0, '127.0.0.1', ready));
    const address = other.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    return {
      options: ['--port', String(port)],
      exitCode: 1,
      says: [
        new RegExp(`Port ${port} is in use`),
        // On Linux the holder is named.
        new RegExp(process.platform === 'linux' ? `process ${process.pid}, in ` : 'in use'),
        /--port/,
        /Nothing was started/,
        /npm start -- --port \d+/,
      ],
      close: () => new Promise((closed) => other.close(closed)),
    };
  },
};
