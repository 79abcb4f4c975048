import { Cron } from 'croner';
import { MINUTES_OF_MONTH } from './usage.ts';

interface Resource {
  readonly Type: string;
  readonly Properties?: Readonly<Record<string, unknown>>;
}

/** A template of CloudFormation. */
export interface Template {
  readonly Resources: Readonly<Record<string, Resource>>;
}

export interface FunctionFacts {
  readonly name: string;
  readonly memoryMegabytes: number;
  readonly timeoutSeconds: number;
  readonly isTraced: boolean;
  /** That rules and schedules start in a month, without those over a queue. */
  readonly scheduled: number;
  /** That messages of a queue start in a month. */
  readonly queued: number;
  readonly publishesAll: boolean;
}

/** What of the price the templates tell. */
export interface Facts {
  readonly alarmMetrics: number;
  readonly alarms: number;
  readonly compositeAlarms: number;
  readonly dashboards: number;
  readonly kmsKeys: number;
  readonly userPools: number;
  readonly functions: readonly FunctionFacts[];
  /** Queues that Lambda polls. */
  readonly polledQueues: number;
  readonly schedulerInvocations: number;
  readonly hasMethodMetrics: boolean;
  /** Alarms on the ages of proven backups: each has a metric of its own. */
  readonly drillAlarms: number;
  readonly resourcesOfLargestStack: number;
}

interface Named extends Resource {
  readonly id: string;
  readonly properties: Readonly<Record<string, unknown>>;
}

/** Counts what is in the templates of an app. */
export function factsOf(templates: readonly Template[], prefix: string): Facts {
  const all: Named[] = templates.flatMap(({ Resources }) =>
    Object.entries(Resources).map(([id, resource]) => ({ ...resource, id, properties: resource.Properties ?? {} })),
  );
  const ofType = (type: string) => all.filter(({ Type }) => Type === type);
  const alarms = ofType('AWS::CloudWatch::Alarm');
  const started = startsOf(ofType('AWS::Events::Rule'), ofType('AWS::Scheduler::Schedule'));
  const mappings = ofType('AWS::Lambda::EventSourceMapping');
  const subscriptions = ofType('AWS::SNS::Subscription').map(({ properties }) => properties);
  /** What a queue gets messages of: itself, or a topic. */
  const sourcesOf = (queue: unknown) => [
    queue,
    ...subscriptions.filter(({ Endpoint }) => sameReference(Endpoint, queue)).map(({ TopicArn }) => TopicArn),
  ];
  return {
    alarms: alarms.length,
    alarmMetrics: alarms.reduce((sum, { properties }) => sum + metricsOfAlarm(properties), 0),
    compositeAlarms: ofType('AWS::CloudWatch::CompositeAlarm').length,
    dashboards: ofType('AWS::CloudWatch::Dashboard').length,
    kmsKeys: ofType('AWS::KMS::Key').length + ofType('AWS::KMS::ReplicaKey').length,
    userPools: ofType('AWS::Cognito::UserPool').length,
    functions: ofType('AWS::Lambda::Function').map(({ id, properties }) => {
      const environment = (properties.Environment as { Variables?: Record<string, unknown> } | undefined)?.Variables;
      const queues = mappings.filter((mapping) => refersTo(mapping.properties.FunctionName, id));
      return {
        name: String(properties.FunctionName).slice(prefix.length + 1),
        memoryMegabytes: Number(properties.MemorySize),
        timeoutSeconds: Number(properties.Timeout),
        isTraced: (properties.TracingConfig as { Mode?: string } | undefined)?.Mode === 'Active',
        scheduled: started.filter(({ target }) => refersTo(target, id)).reduce((sum, { times }) => sum + times, 0),
        queued: queues.reduce(
          (sum, mapping) =>
            sum +
            started
              .filter(({ target }) =>
                sourcesOf(mapping.properties.EventSourceArn).some((source) => sameReference(source, target)),
              )
              .reduce((total, { times }) => total + times, 0),
          0,
        ),
        publishesAll: environment?.PUBLISHED_METRICS !== 'heartbeat',
      };
    }),
    polledQueues: mappings.length,
    schedulerInvocations: ofType('AWS::Scheduler::Schedule').reduce(
      (sum, { properties }) => sum + timesOfMonth(String(properties.ScheduleExpression)),
      0,
    ),
    hasMethodMetrics: ofType('AWS::ApiGateway::Stage').some(({ properties }) =>
      JSON.stringify(properties.MethodSettings ?? []).includes('"MetricsEnabled":true'),
    ),
    drillAlarms: alarms.filter(({ id }) => id.includes('NoProvenBackup')).length,
    resourcesOfLargestStack: Math.max(...templates.map(({ Resources }) => Object.keys(Resources).length)),
  };
}

/** Each metric of an alarm is billed. */
function metricsOfAlarm({ Metrics }: Named['properties']): number {
  return Array.isArray(Metrics) ? Metrics.filter((metric) => 'MetricStat' in metric).length : 1;
}

function startsOf(rules: readonly Named[], schedules: readonly Named[]): { target: unknown; times: number }[] {
  const ofRules = rules.flatMap(({ properties }) => {
    const { ScheduleExpression: expression, Targets } = properties;
    if (typeof expression !== 'string') return [];
    return (Targets as { Arn: unknown }[]).map(({ Arn }) => ({ target: Arn, times: timesOfMonth(expression) }));
  });
  const ofSchedules = schedules.map(({ properties }) => ({
    target: (properties.Target as { Arn: unknown }).Arn,
    times: timesOfMonth(String(properties.ScheduleExpression)),
  }));
  return [...ofRules, ...ofSchedules];
}

/** Whether a value refers to a resource: `{"Fn::GetAtt": [id, "Arn"]}` or `{"Ref": id}`. */
function refersTo(value: unknown, id: string): boolean {
  const text = JSON.stringify(value) ?? '';
  return text.includes(`["${id}",`) || text.includes(`{"Ref":"${id}"}`);
}

const sameReference = (one: unknown, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other);

const minutesOf: Readonly<Record<string, number>> = { minute: 1, hour: 60, day: 1440 };

/** How often an expression of EventBridge starts something in a month. @throws Error for one that is not known */
export function timesOfMonth(expression: string): number {
  const [, count, unit = ''] = /^rate\((\d+) (minute|hour|day)s?\)$/.exec(expression) ?? [];
  if (count !== undefined) return MINUTES_OF_MONTH / (Number(count) * (minutesOf[unit] ?? 1));
  const [, body] = /^cron\((.+)\)$/.exec(expression) ?? [];
  if (body === undefined) throw new Error(`"${expression}" is no schedule expression`);
  return timesOfCron(`0 ${body}`);
}

/** As EventBridge's expressions have their days of the week: Sunday is 1. */
function timesOfCron(pattern: string, unix = false): number {
  const cron = new Cron(pattern, { timezone: 'UTC', paused: true, ...(unix ? {} : { alternativeWeekdays: true }) });
  const from = new Date('2027-01-01T00:00:00Z');
  const until = new Date('2028-01-01T00:00:00Z');
  let times = 0;
  for (let next = cron.nextRun(new Date(from.getTime() - 1)); next && next < until; next = cron.nextRun(next))
    times += 1;
  return times / 12;
}

/** Likewise of a Unix cron expression, or none. */
export function timesOfUnixCron(expression: string | null): number {
  return expression === null ? 0 : timesOfCron(expression, true);
}
