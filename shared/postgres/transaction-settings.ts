import type pg from 'pg';
import { quoteLiteral } from './identifiers.ts';

type Query = (given: string | pg.QueryConfig, values?: unknown[]) => Promise<pg.QueryResult>;

/** A default is for the next transaction; these are for the one that is open. */
const OF_TRANSACTION: Readonly<Record<string, string>> = { default_transaction_read_only: 'transaction_read_only' };

/**
 * Makes each query of a client bring settings along that end with its transaction, so that none is left in a session which a pooler
 * lends to others next. A query without parameters is sent in one message with them, which is a transaction. One with parameters
 * takes the extended protocol with an unnamed statement, within BEGIN and COMMIT; so does one with a backslash, as the server reads a
 * message as a whole before it runs its first statement, and whether a backslash is special is one of the settings. A transaction of the caller's own gets them
 * at its BEGIN. Queries are run one after the other, in the order in which they are asked for.
 *
 * What needs more than a query and its rows, such as COPY or a cursor, is refused.
 */
export function keepToTransactions(client: pg.Client, settings: ReadonlyMap<string, string>): void {
  const send = client.query.bind(client) as unknown as Query;
  const set = `SELECT ${[...settings]
    .map(
      ([name, value]) =>
        `pg_catalog.set_config(${quoteLiteral(OF_TRANSACTION[name] ?? name)}, ${quoteLiteral(value)}, true)`,
    )
    .join(', ')}`;
  let last: Promise<unknown> = Promise.resolve();

  const run: Query = async (given, values) => {
    const config: pg.QueryConfig = typeof given === 'string' ? { text: given } : given;
    const parameters = values ?? config.values ?? [];
    if (typeof config.text !== 'string' || config.name !== undefined) {
      throw new Error('Only plain queries without a name can go through a connection pooler');
    }
    if (client.getTransactionStatus() !== 'I') return send(config, parameters);
    if (/^\s*BEGIN\b/i.test(config.text)) {
      const began = await send(config);
      await send(set);
      return began;
    }
    if (parameters.length === 0 && !config.text.includes('\\'))
      return lastOf(await send({ ...config, text: `${set};\n${config.text}` }));
    try {
      await send(`BEGIN; ${set}`);
      const result = await send(config, parameters);
      await send('COMMIT');
      return result;
    } catch (error) {
      // Only a server that has answered can be asked to roll back; any other session is lost, and its transaction with it.
      if ((error as { code?: string }).code !== undefined) await send('ROLLBACK').catch(() => undefined);
      throw error;
    }
  };
  client.query = ((given: string | pg.QueryConfig, values?: unknown[]) => {
    const result = last.then(() => run(given, values));
    last = result.catch(() => undefined);
    return result;
  }) as pg.Client['query'];
}

/** Of a message with several statements the driver gives a result for each. */
function lastOf(results: pg.QueryResult | pg.QueryResult[]): pg.QueryResult {
  const [result] = Array.isArray(results) ? results.slice(-1) : [results];
  if (!result) throw new Error('The server has not answered the statement');
  return result;
}
