import pg from 'pg';
import type { LocalPostgres } from '../postgres/server.ts';
import { sampleDatabase } from './sample.ts';

/** Sessions of those who make trouble. */
export interface TroubleSessions {
  /** A new one, in the sample database unless another is named. */
  open(database?: string): Promise<pg.Client>;
  openMany(count: number): Promise<pg.Client[]>;
  /** Runs statements one after the other in a session of their own. */
  run(...statements: string[]): Promise<void>;
  /** Ends sessions, also such that are at work. */
  end(sessions: readonly pg.Client[]): Promise<void>;
  close(): Promise<void>;
}

export function openTroubleSessions({ host, port, user, password }: LocalPostgres): TroubleSessions {
  const opened = new Set<pg.Client>();
  const end = async (sessions: readonly pg.Client[]): Promise<void> => {
    for (const session of sessions) opened.delete(session);
    await Promise.all(sessions.map((session) => session.end().catch(() => undefined)));
  };
  const open = async (database = sampleDatabase): Promise<pg.Client> => {
    const client = new pg.Client({ host, port, user, password, database, application_name: 'trouble' });
    client.on('error', () => undefined);
    await client.connect();
    opened.add(client);
    return client;
  };
  return {
    open,
    end,
    openMany: (count) => Promise.all(Array.from({ length: count }, () => open())),
    async run(...statements) {
      const session = await open();
      try {
        for (const statement of statements) await session.query(statement);
      } finally {
        await end([session]);
      }
    },
    close: () => end([...opened]),
  };
}
