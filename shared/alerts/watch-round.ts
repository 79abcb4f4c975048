import type { RuntimeConfiguration } from '../configuration/runtime.ts';
import { type EmbeddedMetrics, embeddedMetrics, type Published } from '../health/publish.ts';
import type { Watcher } from '../health/watch-database.ts';
import { deliverMails, type MailDependencies } from './deliver-mails.ts';
import type { ThrottleDependencies } from './throttled-functions.ts';
import { watchAlerts } from './watch-alerts.ts';
import { watchFunctions } from './watch-functions.ts';

export interface RoundDependencies extends Omit<MailDependencies, 'configuration'>, ThrottleDependencies {
  configuration: Pick<RuntimeConfiguration, 'thresholds' | 'alert_emails' | 'alert_sender'>;
  /** Of the metrics that are published. */
  namespace: string;
  published: Published;
  /** Takes what is published, to write it into the log as it is. */
  publish: (metrics: EmbeddedMetrics) => void;
  /** By the id of their database. */
  watchers: ReadonlyMap<string, Watcher>;
  /** Told of what failed, which does not hold up the rest. */
  failed: (what: string, error: unknown) => void;
  /** After it no other sample is begun. */
  signal: AbortSignal;
}

/** Databases that are sampled at a time. */
const AT_A_TIME = 10;

/**
 * Watches every database once: takes a sample, holds it against the thresholds, publishes that this was done, sends the mails, and
 * closes the connections. A database that fails holds up no other.
 */
export async function watchRound(dependencies: RoundDependencies): Promise<void> {
  const { watchers, signal, failed } = dependencies;
  const guarded = (what: string, work: Promise<unknown>): Promise<unknown> =>
    work.catch((error: unknown) => failed(what, error));
  await eachOf([...watchers], AT_A_TIME, signal, ([database, watcher]) =>
    guarded(
      database,
      watchOnce(dependencies, database, watcher).finally(() => watcher.close()),
    ),
  );
  await guarded('functions', watchFunctions(dependencies));
  await guarded('mails', deliverMails(dependencies));
}

async function watchOnce(dependencies: RoundDependencies, database: string, watcher: Watcher): Promise<void> {
  const { table, configuration, namespace, published, publish } = dependencies;
  const state = await watcher.sample();
  if (!state?.latest) return;
  await watchAlerts({ table, database, configuration }, state);
  // Last: where alerts cannot be opened, the sample is as good as none, and the alarm on missing ones is to ring.
  const metrics = embeddedMetrics(namespace, published, database, state.latest);
  if (metrics) publish(metrics);
}

/** Does something with each item, so many at a time, and begins with none once the signal says so. */
async function eachOf<Item>(
  items: Item[],
  limit: number,
  signal: AbortSignal,
  work: (item: Item) => Promise<unknown>,
): Promise<void> {
  const waiting = items.values();
  await Promise.all(
    Array.from({ length: Math.min(limit, items.length) }, async () => {
      for (const item of waiting) {
        if (signal.aborted) return;
        await work(item);
      }
    }),
  );
}
