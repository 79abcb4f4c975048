import type pg from 'pg';
import { afterAll, afterEach, beforeAll } from 'vitest';
import type { Watcher } from '../../../shared/health/watch-database.ts';
import { anyServer, createScratchDatabase, type ScratchDatabase } from '../../support/servers.ts';
import { type Condition, courseOf, untilQuiet } from './course.ts';
import { startWatched, type Watched } from './watched.ts';

interface Started {
  watched: Watched;
  database: ScratchDatabase;
  watcher: Watcher;
  /** For what a test does besides. */
  client: pg.Client;
}

/** A database that is watched, for the tests of one file. */
export function useWatchedDatabase() {
  let started: Started | undefined;
  const others: pg.Client[] = [];
  beforeAll(async () => {
    const watched = await startWatched();
    const database = await createScratchDatabase(anyServer());
    const watcher = watched.watcher(database.target({ applicationName: 'dbms sample' }));
    started = { watched, database, watcher, client: await database.connect() };
  });
  afterEach(async () => {
    for (const other of others.splice(0)) await other.end().catch(() => undefined);
  });
  afterAll(async () => {
    await started?.watcher.close();
    await started?.client.end();
    await started?.database.drop();
    await started?.watched.close();
  });
  const here = (): Started => {
    if (!started) throw new Error('It is started before the tests');
    return started;
  };
  return {
    here,
    /** A session that the end of the test closes. */
    async another(): Promise<pg.Client> {
      const opened = await here().database.connect();
      others.push(opened);
      return opened;
    },
    async conditionIn(condition: Condition): Promise<void> {
      const { watched, watcher, client } = here();
      await untilQuiet(client);
      await courseOf({ watched, first: watcher }, condition);
    },
  };
}
