import { Duration } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import { Construct } from 'constructs';
import { FLEET } from '../../shared/alerts/link.ts';
import { publishedMetrics } from '../../shared/health/metrics.ts';
import type { Deployment } from '../config/schema.ts';
import { databaseMetric } from './database-alarms.ts';
import { functionMetric } from './function-alarms.ts';

const PERIOD = Duration.minutes(1);
/** A dashboard is 24 units wide: three charts side by side. */
const WIDTH = 8;
const HEIGHT = 6;
const WHOLE_WIDTH = 24;
/** What CloudWatch takes in one widget of alarms. */
const ALARMS_OF_WIDGET = 100;

export interface DashboardsProps {
  readonly deployment: Deployment;
  /** By database. */
  readonly alarms: ReadonlyMap<string, readonly cloudwatch.IAlarm[]>;
  /** Names of the deployed functions. */
  readonly functions: readonly string[];
}

/** Name of a database's dashboard; of all databases together with {@link FLEET}. */
export function dashboardName(prefix: string, database: string): string {
  return `${prefix}-${database}`;
}

/** A dashboard for each database, with its alarms and every published metric, and one for all with the functions. */
export class Dashboards extends Construct {
  constructor(scope: Construct, id: string, { deployment, alarms, functions }: DashboardsProps) {
    super(scope, id);
    const { prefix, databases } = deployment;
    const ids = databases.map((database) => database.id);
    for (const database of ids) {
      const dashboard = new cloudwatch.Dashboard(this, `database-${database}`, {
        dashboardName: dashboardName(prefix, database),
      });
      dashboard.addWidgets(
        new cloudwatch.AlarmStatusWidget({
          title: `Alarms of ${database}`,
          alarms: [...(alarms.get(database) ?? [])],
          width: WHOLE_WIDTH,
        }),
      );
      dashboard.addWidgets(...publishedMetrics.map((published) => chart(prefix, published, [database])));
    }
    const fleet = new cloudwatch.Dashboard(this, 'Fleet', { dashboardName: dashboardName(prefix, FLEET) });
    const all = [...alarms.values()].flat();
    for (let from = 0; from < all.length; from += ALARMS_OF_WIDGET) {
      fleet.addWidgets(
        new cloudwatch.AlarmStatusWidget({
          title: 'Alarms of all databases',
          alarms: all.slice(from, from + ALARMS_OF_WIDGET),
          width: WHOLE_WIDTH,
        }),
      );
    }
    fleet.addWidgets(...publishedMetrics.map((published) => chart(prefix, published, ids)));
    fleet.addWidgets(
      ...['Errors', 'Throttles', 'Duration'].map(
        (metric) =>
          new cloudwatch.GraphWidget({
            title: `Functions: ${metric}`,
            left: functions.map((name) =>
              functionMetric(name, metric, metric === 'Duration' ? cloudwatch.Stats.MAXIMUM : cloudwatch.Stats.SUM),
            ),
            width: WIDTH,
            height: HEIGHT,
          }),
      ),
    );
  }
}

/** One metric of some databases: of one, also its least and its most. */
function chart(
  prefix: string,
  { metric, title, unit }: (typeof publishedMetrics)[number],
  databases: readonly string[],
) {
  const statistics = databases.length === 1 ? ['Average', 'Minimum', 'Maximum'] : ['Average'];
  return new cloudwatch.GraphWidget({
    title,
    left: databases.flatMap((database) =>
      statistics.map((statistic) => {
        const label = databases.length === 1 ? statistic : database;
        return databaseMetric({ prefix, database, metric, statistic, period: PERIOD, label });
      }),
    ),
    leftYAxis: { min: 0, label: unit === 'None' ? '' : unit, showUnits: false },
    width: WIDTH,
    height: HEIGHT,
  });
}
