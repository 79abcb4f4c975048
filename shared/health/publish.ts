import { DATABASE_DIMENSION, publishedMetrics } from './metrics.ts';
import type { Sample } from './sample-store.ts';

/** Which metrics are published: that samples are taken at all, which the alarm of a database needs, or every one with a name. */
export type Published = 'heartbeat' | 'all';

/** Metrics of a sample as one line of a log, from which CloudWatch takes them ("embedded metric format" in its guide). */
export interface EmbeddedMetrics {
  readonly _aws: {
    readonly Timestamp: number;
    readonly CloudWatchMetrics: readonly {
      readonly Namespace: string;
      readonly Dimensions: readonly (readonly string[])[];
      readonly Metrics: readonly { readonly Name: string; readonly Unit: string }[];
    }[];
  };
  readonly [name: string]: unknown;
}

/**
 * What is published of a sample. A line in the log costs a fiftieth of a request to CloudWatch, and needs neither a right nor a way from
 * the network of the databases to it.
 *
 * @returns null when nothing of it is known
 */
export function embeddedMetrics(
  namespace: string,
  published: Published,
  database: string,
  { at, values }: Sample,
): EmbeddedMetrics | null {
  const known = publishedMetrics.flatMap(({ metric, name, unit }) => {
    const value = values[metric];
    const isWanted = published === 'all' || metric === 'samples_taken';
    return isWanted && typeof value === 'number' && Number.isFinite(value) ? [{ name, unit, value }] : [];
  });
  if (known.length === 0) return null;
  const Metrics = known.map(({ name, unit }) => ({ Name: name, Unit: unit }));
  return {
    _aws: {
      Timestamp: at,
      CloudWatchMetrics: [{ Namespace: namespace, Dimensions: [[DATABASE_DIMENSION]], Metrics }],
    },
    [DATABASE_DIMENSION]: database,
    ...Object.fromEntries(known.map(({ name, value }) => [name, value])),
  };
}
