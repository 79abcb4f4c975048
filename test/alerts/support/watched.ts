import { CloudWatchClient } from '@aws-sdk/client-cloudwatch';
import { RDSClient } from '@aws-sdk/client-rds';
import { SESClient } from '@aws-sdk/client-ses';
import type { Email } from '../../../local/aws/ses.ts';
import { listAlerts } from '../../../shared/alerts/alert-store.ts';
import { deliverMails } from '../../../shared/alerts/deliver-mails.ts';
import type { Change } from '../../../shared/alerts/evaluate.ts';
import { writeSettings } from '../../../shared/alerts/settings.ts';
import { watchAlerts } from '../../../shared/alerts/watch-alerts.ts';
import {
  type Database,
  databaseSchema,
  type RuntimeConfiguration,
  runtimeConfigurationSchema,
} from '../../../shared/configuration/runtime.ts';
import { type Alert, thresholdsRequestSchema } from '../../../shared/contract/schemas/alert.ts';
import type { CheckName } from '../../../shared/health/checks.ts';
import { checkNames } from '../../../shared/health/checks.ts';
import type { EffectiveCheck } from '../../../shared/health/effective-check.ts';
import type { WatchState } from '../../../shared/health/sample-store.ts';
import { createWatcher, type Watcher } from '../../../shared/health/watch-database.ts';
import type { ConnectionTarget } from '../../../shared/postgres/connect.ts';
import { clientOptions } from '../../local/aws/support.ts';
import { type StateService, startState } from '../../state/support.ts';

export const DATABASE = 'tested';

export interface Watched extends StateService {
  configuration: RuntimeConfiguration;
  cloudwatch: CloudWatchClient;
  ses: SESClient;
  watcher(
    target: ConnectionTarget,
    changes?: Partial<Pick<Database, 'kind' | 'host' | 'storage_gigabytes' | 'allow_pause'>>,
  ): Watcher;
  /** Only these checks, at once and without hysteresis; all others are off. */
  only(checks: Partial<Record<CheckName, Partial<EffectiveCheck>>>): Promise<void>;
  /** Samples once, evaluates, and sends the mails. */
  watch(watcher: Watcher): Promise<{ state: WatchState; changes: Change[] }>;
  alerts(): Promise<Alert[]>;
  /** Oldest first. */
  emails(): Email[];
}

/** Local AWS services with a database to be watched, whose alerts are mailed. */
export async function startWatched(): Promise<Watched> {
  const state = await startState();
  const { services, table } = state;
  const login = { type: 'secret', secret_arn: 'arn:aws:secretsmanager:eu-west-1:111122223333:secret:tested' };
  const database = { id: DATABASE, kind: 'self-managed', host: '127.0.0.1', name: 'tested', login };
  const configuration = runtimeConfigurationSchema.parse({
    databases: [database],
    thresholds: { slow_query_seconds: 0.05 },
    alert_emails: ['dba@example.com', 'second@example.com'],
    alert_sender: 'alerts@example.com',
  });
  const cloudwatch = new CloudWatchClient(clientOptions(services.endpoints.cloudwatch));
  const rds = new RDSClient(clientOptions(services.endpoints.rds));
  const ses = new SESClient(clientOptions(services.endpoints.ses));
  const linkTo = (id: string | null) => `https://console.example/${id}`;
  return {
    ...state,
    configuration,
    cloudwatch,
    ses,
    watcher: (target, changes = {}) =>
      createWatcher({
        table,
        cloudwatch,
        rds,
        database: databaseSchema.parse({ ...database, ...changes }),
        target,
        configuration,
        details: { everyMs: 0, budgetMs: 60_000 },
      }),
    async only(wanted) {
      const off = Object.fromEntries(checkNames.map((name) => [name, { enabled: false }]));
      const at = { enabled: true, for_seconds: 0, clear_seconds: 0, hysteresis: 0 };
      const on = Object.fromEntries(Object.entries(wanted).map(([name, check]) => [name, { ...at, ...check }]));
      const settings = thresholdsRequestSchema.parse({ checks: { ...off, ...on } });
      await writeSettings(table, DATABASE, settings, 'test');
    },
    async watch(watcher) {
      const sampled = await watcher.sample();
      if (!sampled) throw new Error('Another sampler was first');
      const changes = await watchAlerts({ table, database: DATABASE, configuration }, sampled);
      await deliverMails({ table, ses, configuration, linkTo });
      return { state: sampled, changes };
    },
    alerts: async () => (await listAlerts(table, { database: DATABASE, limit: 100 })).items,
    emails: () => services.emails().toReversed(),
    async close() {
      cloudwatch.destroy();
      rds.destroy();
      ses.destroy();
      await state.close();
    },
  };
}
