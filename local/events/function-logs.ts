import { gzipSync } from 'node:zlib';
import {
  CloudWatchClient,
  type MetricDatum,
  PutMetricDataCommand,
  type StandardUnit,
} from '@aws-sdk/client-cloudwatch';
import * as z from 'zod';
import { readAlarms } from '../alarms.ts';
import type { Report } from '../lambda/reports.ts';
import { account, region } from '../template/identities.ts';
import type { Resource } from '../template/intrinsics.ts';
import { parseFilterPattern } from './filter-pattern.ts';

const filterSchema = z.object({ LogGroupName: z.string(), FilterPattern: z.string(), DestinationArn: z.string() });
const functionSchema = z.object({ LoggingConfig: z.object({ LogGroup: z.string() }).optional() });
const embeddedSchema = z.looseObject({
  _aws: z.object({
    Timestamp: z.number(),
    CloudWatchMetrics: z.array(
      z.object({
        Namespace: z.string(),
        Dimensions: z.array(z.array(z.string())),
        Metrics: z.array(z.object({ Name: z.string(), Unit: z.string().optional() })),
      }),
    ),
  }),
});

export type FunctionLogsOptions = {
  readonly resources: readonly Resource[];
  /** Of the local CloudWatch. */
  readonly endpoint: string;
  /** Starts a function asynchronously. */
  readonly submit: (functionArn: string, payload: string) => void;
  readonly note: (text: string) => void;
};

/** What CloudWatch makes of the logs of functions, and of Lambda's own counts. */
export type FunctionLogs = {
  /** Takes a line of a function's log. */
  readonly line: (functionName: string, line: string) => void;
  /** Counts an invocation that ended. */
  readonly report: (functionName: string, report: Report) => void;
  /** Counts an invocation that was not started. */
  readonly throttled: (functionName: string) => void;
  readonly close: () => Promise<void>;
};

/**
 * Takes metrics out of log lines ("embedded metric format"), hands over what subscription filters of the template let through, and
 * publishes those of Lambda's metrics that an alarm of the template watches, with the same of all functions together.
 */
export function createFunctionLogs({ resources, endpoint, submit, note }: FunctionLogsOptions): FunctionLogs {
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
  const client = new CloudWatchClient({ endpoint, region, credentials, maxAttempts: 1 });
  const groupOf = new Map(
    resources
      .filter(({ type }) => type === 'AWS::Lambda::Function')
      .map(({ name, properties }) => [name, functionSchema.parse(properties).LoggingConfig?.LogGroup ?? name]),
  );
  const filters = filtersOf(resources, new Set(groupOf.values()));
  const watched = readAlarms(resources).filter(({ Namespace }) => Namespace === 'AWS/Lambda');
  const pending = new Set<Promise<unknown>>();

  function put(Namespace: string, MetricData: MetricDatum[]): void {
    if (MetricData.length === 0) return;
    const sending = client
      .send(new PutMetricDataCommand({ Namespace, MetricData }))
      .catch((error: unknown) => note(`Metrics: ${error instanceof Error ? error.message : String(error)}`))
      .finally(() => pending.delete(sending));
    pending.add(sending);
  }

  function count(functionName: string, values: Readonly<Record<string, number>>): void {
    const data = watched.flatMap(({ MetricName, Dimensions }): MetricDatum[] => {
      const Value = values[MetricName];
      const isMeant = Dimensions.every(({ Name, Value: name }) => Name === 'FunctionName' && name === functionName);
      return Value === undefined || !isMeant ? [] : [{ MetricName, Dimensions, Value }];
    });
    // The function's own is there whenever the account's is: who hears of the one asks for the other.
    const ofAccount = data.filter(({ Dimensions }) => Dimensions?.length === 0);
    const own = ofAccount.map((datum) => ({ ...datum, Dimensions: [{ Name: 'FunctionName', Value: functionName }] }));
    put('AWS/Lambda', [...data, ...own]);
  }

  function line(functionName: string, text: string): void {
    const event = jsonOf(text);
    if (event === undefined) return;
    const embedded = embeddedSchema.safeParse(event);
    if (embedded.success) publish(embedded.data);
    const logGroup = groupOf.get(functionName);
    for (const filter of filters) {
      if (filter.logGroup !== logGroup || !filter.matches(event)) continue;
      const message = {
        messageType: 'DATA_MESSAGE',
        owner: account,
        logGroup,
        logStream: 'local',
        logEvents: [{ id: String(Date.now()), timestamp: Date.now(), message: text }],
      };
      const data = gzipSync(JSON.stringify(message)).toString('base64');
      submit(filter.destination, JSON.stringify({ awslogs: { data } }));
    }
  }

  function publish({ _aws, ...fields }: z.output<typeof embeddedSchema>): void {
    for (const { Namespace, Dimensions, Metrics } of _aws.CloudWatchMetrics) {
      put(
        Namespace,
        Dimensions.flatMap((names) =>
          Metrics.map(({ Name, Unit }) => ({
            MetricName: Name,
            Dimensions: names.map((name) => ({ Name: name, Value: String(fields[name]) })),
            Timestamp: new Date(_aws.Timestamp),
            Value: Number(fields[Name]),
            Unit: (Unit ?? 'None') as StandardUnit,
          })),
        ),
      );
    }
  }

  return {
    line,
    report: (functionName, { status, durationMs }) =>
      count(functionName, { Errors: status === 'success' ? 0 : 1, Duration: durationMs, Throttles: 0 }),
    throttled: (functionName) => count(functionName, { Throttles: 1 }),
    close: async () => {
      await Promise.all(pending);
      client.destroy();
    },
  };
}

/** The subscription filters of the functions' own log groups; those of other groups have no logs here. */
function filtersOf(resources: readonly Resource[], groups: ReadonlySet<string>) {
  return resources
    .filter(({ type }) => type === 'AWS::Logs::SubscriptionFilter')
    .map(({ properties }) => filterSchema.parse(properties))
    .filter(({ LogGroupName }) => groups.has(LogGroupName))
    .map(({ LogGroupName, FilterPattern, DestinationArn }) => ({
      logGroup: LogGroupName,
      matches: parseFilterPattern(FilterPattern),
      destination: DestinationArn,
    }));
}

function jsonOf(text: string): unknown {
  if (!text.startsWith('{')) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
