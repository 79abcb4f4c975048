import { GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import * as z from 'zod';
import type { RuntimeConfiguration } from '../configuration/runtime.ts';
import { causeOfCheck, checkOf } from '../health/checks.ts';
import { type MetricName, metricOf } from '../health/metrics.ts';
import { readSamples, type WatchState } from '../health/sample-store.ts';
import { secondsBetweenSamples } from '../health/sampling-interval.ts';
import { newAlertId } from '../state/ids.ts';
import { pack, unpack } from '../state/packed.ts';
import type { StateTable } from '../state/table.ts';
import { type NewAlert, openAlert, raiseAlert, resolveAlert } from './alert-store.ts';
import { detailOf } from './detail.ts';
import { type Change, evaluate, type Trackers } from './evaluate.ts';
import { nextTimeOfDay } from './local-time.ts';
import { type MailSubject, mailSubjectSchema, waitingMail } from './mail-queue.ts';
import { mailAbout, mailSubject } from './news.ts';
import { effectiveChecks, isInMaintenance, readSettings, type StoredSettings } from './settings.ts';

export interface AlertDependencies {
  table: StateTable;
  database: string;
  configuration: Pick<RuntimeConfiguration, 'thresholds' | 'alert_emails'>;
}

/** What is remembered of a database's checks. */
interface Standing {
  trackers: Trackers;
  /** The notices that go into the next digest, and when that is. */
  digest: { due_at: number; subjects: MailSubject[] } | null;
}

const standingKey = (database: string) => ({ pk: `STANDING#${database}`, sk: 'STANDING' });
const digestSchema = z.object({ due_at: z.number(), subjects: z.array(mailSubjectSchema) }).nullable();

/** Notices of one digest at most; the list of alerts has them all. */
const MOST_NOTICES = 50;
/** How far back a mail's chart goes. */
const CHART_MS = 2 * 3_600_000;

export async function readStanding(table: StateTable, database: string): Promise<Standing> {
  const { Item } = await table.documents.send(
    new GetCommand({ TableName: table.name, Key: standingKey(database), ConsistentRead: true }),
  );
  if (!Item) return { trackers: {}, digest: null };
  const { trackers, digest } = unpack(Item.standing) as Standing;
  return { trackers, digest: digestSchema.parse(digest) };
}

async function writeStanding(table: StateTable, database: string, standing: Standing): Promise<void> {
  const Item = { ...standingKey(database), standing: pack(standing) };
  await table.documents.send(new PutCommand({ TableName: table.name, Item }));
}

/**
 * Holds the latest sample of a database against its thresholds: opens, raises and resolves alerts and queues their mails. One that
 * ends half-way is made up for by the next: an alert is opened with its cause in one transaction, and a cause has one.
 *
 * @returns the changes that were made
 */
export async function watchAlerts(dependencies: AlertDependencies, state: WatchState): Promise<Change[]> {
  const { table, database, configuration } = dependencies;
  if (!state.latest) return [];
  const { at, values } = state.latest;
  const stored = await readSettings(table, database);
  const before = await readStanding(table, database);
  const { trackers, changes } = evaluate(before.trackers, {
    at,
    values,
    betweenSamples: secondsBetweenSamples(configuration.thresholds.health_check_interval_seconds),
    checks: effectiveChecks(stored.settings, configuration.thresholds),
    escalateAfterSeconds: stored.settings.escalate_after_seconds,
    inMaintenance: isInMaintenance(stored.settings, at),
    newId: newAlertId,
  });
  const notices: MailSubject[] = [];
  for (const change of changes) {
    const { id, notice } = await apply(dependencies, state, stored, change);
    const tracker = trackers[change.check];
    // The cause may have had an alert already: from an alarm, or from a run that ended half-way.
    if (tracker?.alert) tracker.alert.id = id;
    if (notice) notices.push(notice);
  }
  const digest = await digestAfter(dependencies, before.digest, notices, stored, at);
  const after: Standing = { trackers, digest };
  if (JSON.stringify(after) !== JSON.stringify(before)) await writeStanding(table, database, after);
  return changes;
}

/** Makes one change. Gives the alert it is about, and what of it belongs into the digest. */
async function apply(
  { table, database, configuration }: AlertDependencies,
  state: WatchState,
  { settings }: StoredSettings,
  { kind, check, alertId, level, value, threshold }: Change,
): Promise<{ id: string; notice: MailSubject | null }> {
  const { title, metric, whatToDo } = checkOf(check);
  const at = state.latest?.at ?? Date.now();
  const now = new Date(at);
  const alert: NewAlert = {
    id: alertId,
    database,
    cause: causeOfCheck(check),
    title,
    level,
    value,
    threshold,
    unit: metricOf(metric).unit,
    what_to_do: whatToDo,
    detail: detailOf(check, state),
  };
  const recent = await recentValues(table, database, metric, at);
  const mail = (event: MailSubject['event']) =>
    mailAbout(mailSubject(alert, event, recent, at), settings, configuration, at);
  if (kind === 'open') {
    const { id, opened } = await openAlert(table, alert, mail('opened'), now);
    const isNotice = opened && level === 'INFO' && configuration.alert_emails.length > 0;
    return { id, notice: isNotice ? mailSubject(alert, 'opened', recent, at) : null };
  }
  if (kind === 'resolve') await resolveAlert(table, alert, mail('resolved'), now);
  else {
    const event = kind === 'raise' ? 'raised' : 'escalated';
    await raiseAlert(table, alertId, { event, level, value, threshold }, mail(event), now);
  }
  return { id: alertId, notice: null };
}

async function recentValues(table: StateTable, database: string, metric: MetricName, at: number): Promise<number[]> {
  const samples = await readSamples(table, database, at - CHART_MS, at);
  return samples.flatMap(({ values }) => values[metric] ?? []);
}

/** Gathers notices for the digest, and queues it once its time has come. */
async function digestAfter(
  { table, database }: AlertDependencies,
  before: Standing['digest'],
  notices: readonly MailSubject[],
  { settings }: StoredSettings,
  at: number,
): Promise<Standing['digest']> {
  const subjects = [...(before?.subjects ?? []), ...notices].slice(0, MOST_NOTICES);
  if (subjects.length === 0) return null;
  const due_at = before?.due_at ?? nextTimeOfDay(at, settings.digest_at, settings.time_zone);
  if (at < due_at) return { due_at, subjects };
  const id = `digest#${database}#${new Date(due_at).toISOString()}`;
  const mail = waitingMail(id, subjects, { digest: true, notBefore: at, now: at });
  await table.documents.send(new PutCommand({ TableName: table.name, Item: mail }));
  return null;
}
