import { afterAll, beforeAll, expect, test } from 'vitest';
import { listAlerts } from '../../shared/alerts/alert-store.ts';
import { watchAlerts } from '../../shared/alerts/watch-alerts.ts';
import { runtimeConfigurationSchema } from '../../shared/configuration/runtime.ts';
import { databaseAlarms, NO_SAMPLES } from '../../shared/health/alarms.ts';
import { causeOfCheck, isCheckName } from '../../shared/health/checks.ts';
import { emptyWatch } from '../../shared/health/sample-store.ts';
import { type StateService, startState } from '../state/support.ts';

/**
 * CloudWatch's alarms on single checks are optional (`cloudwatch.alarms`). What each would detect, the sampler does by itself, at the same
 * value and no later; and where it cannot, its heartbeat stops, of which an alarm hears: test/alerts/watch-round.test.ts.
 */
const login = { type: 'iam', user: 'dbms', resource_id: 'db-X' };
const configuration = runtimeConfigurationSchema.parse({
  databases: [{ id: 'shop', kind: 'rds', host: 'shop.example', name: 'shop', login }],
});
const alarms = databaseAlarms(configuration.thresholds, true).filter(({ what }) => what !== NO_SAMPLES);
const start = Date.parse('2026-11-30T12:00:00Z');

let state: StateService;
beforeAll(async () => {
  state = await startState();
});
afterAll(() => state?.close());

test('there is something to compare with', () => {
  expect(alarms.length).toBeGreaterThan(8);
});

test.each(alarms)('opens an alert of $what at the alarm’s threshold, before the alarm would ring', async (alarm) => {
  const { what, metric, threshold, comparison, periodSeconds, periods } = alarm;
  if (!isCheckName(what)) throw new Error(`${what} is no check`);
  const database = `of-${what.replaceAll('_', '-')}`;
  const bad = comparison === 'LessThanThreshold' ? threshold - 1 : threshold;
  const until = periodSeconds * periods;
  for (let seconds = 0; seconds <= until; seconds += configuration.thresholds.health_check_interval_seconds) {
    const latest = { at: start + seconds * 1000, values: { [metric]: bad } };
    await watchAlerts({ table: state.table, database, configuration }, { ...emptyWatch, latest });
  }
  const { items } = await listAlerts(state.table, { database, limit: 10 });
  const found = items.find(({ cause }) => cause === causeOfCheck(what));
  expect(found).toMatchObject({ status: 'open', threshold });
  expect(Date.parse(found?.opened_at ?? '') - start).toBeLessThanOrEqual(until * 1000);
});
