import { setTimeout as sleep } from 'node:timers/promises';
import type { CloudWatchClient } from '@aws-sdk/client-cloudwatch';
import type { RuntimeConfiguration } from '../configuration/runtime.ts';
import { publishSamples } from '../health/publish.ts';
import type { Sample } from '../health/sample-store.ts';
import type { Watcher } from '../health/watch-database.ts';
import { deliverMails, type MailDependencies } from './deliver-mails.ts';
import { watchAlerts } from './watch-alerts.ts';

export interface MinuteDependencies extends Omit<MailDependencies, 'configuration'> {
  configuration: Pick<RuntimeConfiguration, 'thresholds' | 'alert_emails' | 'alert_sender'>;
  cloudwatch: CloudWatchClient;
  /** Of the metrics that are published. */
  namespace: string;
  /** When samples are taken, in seconds from now. */
  rounds: readonly number[];
  /** By the id of their database. */
  watchers: ReadonlyMap<string, Watcher>;
  /** Told of what failed, which does not hold up the rest. */
  failed: (what: string, error: unknown) => void;
  /** Ends the pauses between samples; after it no other sample is begun. */
  signal: AbortSignal;
}

/** Databases that are sampled at a time. */
const AT_A_TIME = 10;

/**
 * Watches every database for a minute: takes samples, holds them against the thresholds and sends the mails, each round of it; at
 * the end publishes the samples to CloudWatch and closes the connections. A database that fails holds up no other.
 */
export async function watchMinute(dependencies: MinuteDependencies): Promise<void> {
  const { watchers, cloudwatch, namespace, signal, failed } = dependencies;
  const began = Date.now();
  const taken = new Map<string, Sample[]>([...watchers.keys()].map((database) => [database, []]));
  const guarded = (what: string, work: Promise<unknown>): Promise<unknown> =>
    work.catch((error: unknown) => failed(what, error));

  for (const offset of dependencies.rounds) {
    const pause = began + offset * 1000 - Date.now();
    if (pause > 0) await sleep(pause, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) break;
    await eachOf([...watchers], AT_A_TIME, signal, ([database, watcher]) =>
      guarded(database, watchOnce(dependencies, database, watcher, taken.get(database) ?? [])),
    );
    await guarded('mails', deliverMails(dependencies));
  }
  await Promise.all([...watchers.values()].map((watcher) => watcher.close()));
  await guarded('metrics', publishSamples(cloudwatch, namespace, taken));
}

async function watchOnce(
  { table, configuration }: MinuteDependencies,
  database: string,
  watcher: Watcher,
  taken: Sample[],
): Promise<void> {
  const state = await watcher.sample();
  if (!state?.latest) return;
  taken.push(state.latest);
  await watchAlerts({ table, database, configuration }, state);
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
