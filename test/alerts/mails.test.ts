import { CloudWatchClient } from '@aws-sdk/client-cloudwatch';
import { SESClient } from '@aws-sdk/client-ses';
import { GetCommand } from '@aws-sdk/lib-dynamodb';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { alarmChanged } from '../../shared/alerts/alarm-changed.ts';
import {
  acknowledgeAlert,
  alertOfCause,
  getAlert,
  openAlert,
  raiseAlert,
  resolveAlert,
  resolveByHand,
} from '../../shared/alerts/alert-store.ts';
import { deliverMails } from '../../shared/alerts/deliver-mails.ts';
import { formatValue, sparkline } from '../../shared/alerts/format.ts';
import { endOfQuietHours, nextTimeOfDay } from '../../shared/alerts/local-time.ts';
import { mailReturned } from '../../shared/alerts/mail-returned.ts';
import { mailAbout, mailSubject } from '../../shared/alerts/news.ts';
import { renderMail } from '../../shared/alerts/render-mail.ts';
import { writeSettings } from '../../shared/alerts/settings.ts';
import { watchAlerts } from '../../shared/alerts/watch-alerts.ts';
import { runtimeConfigurationSchema } from '../../shared/configuration/runtime.ts';
import { thresholdsRequestSchema } from '../../shared/contract/schemas/alert.ts';
import type { Level } from '../../shared/contract/schemas/health.ts';
import { databaseAlarmName } from '../../shared/health/alarms.ts';
import { emptyWatch } from '../../shared/health/sample-store.ts';
import { newAlertId } from '../../shared/state/ids.ts';
import { stateKeys } from '../../shared/state/table.ts';
import { clientOptions } from '../local/aws/support.ts';
import { type StateService, startState } from '../state/support.ts';

const configuration = runtimeConfigurationSchema.parse({
  databases: [{ id: 'shop', host: 'h', name: 'n', login: { type: 'secret', secret_arn: 'arn:aws:secretsmanager:x' } }],
  alert_emails: ['dba@example.com'],
});
const noQuiet = { quiet_hours: null, time_zone: 'UTC' };
/** A moment of which every test counts on. */
const start = Date.parse('2026-03-02T12:00:00Z');

let state: StateService;
let ses: SESClient;
let cloudwatch: CloudWatchClient;
beforeAll(async () => {
  state = await startState();
  cloudwatch = new CloudWatchClient(clientOptions(state.services.endpoints.cloudwatch));
  ses = new SESClient(clientOptions(state.services.endpoints.ses));
});
afterAll(async () => {
  ses?.destroy();
  cloudwatch?.destroy();
  await state?.close();
});
let before = 0;
beforeEach(() => {
  before = state.services.emails().length;
});
const sent = () =>
  state.services
    .emails()
    .slice(0, state.services.emails().length - before)
    .map(({ subject }) => subject);
const deliver = (at: number) => deliverMails({ table: state.table, ses, configuration, linkTo: () => null }, () => at);

async function openWithMail(level: Level = 'WARNING', rules: Parameters<typeof mailAbout>[1] = noQuiet, at = start) {
  const alert = {
    id: newAlertId(),
    database: 'shop',
    cause: `check:${newAlertId()}`,
    title: 'Disk in use',
    level,
    value: 0.91,
    threshold: 0.9,
    unit: 'Ratio',
    what_to_do: 'Give it a larger disk',
    detail: null,
  };
  await openAlert(
    state.table,
    alert,
    mailAbout(mailSubject(alert, 'opened', [], at), rules, configuration, at),
    new Date(at),
  );
  return alert.id;
}

describe('a mail', () => {
  test('is sent once, however many send', async () => {
    const id = await openWithMail();
    await Promise.all([deliver(start), deliver(start), deliver(start)]);
    await deliver(start + 60_000);
    expect(sent()).toEqual(['[WARNING] shop: Disk in use: 91 % (threshold 90 %)']);
    expect((await getAlert(state.table, id)).mail).toMatchObject({ status: 'sent', error: null });
  });

  test('that SES refuses is tried again with pauses, and seen', async () => {
    const id = await openWithMail();
    await state.services.faults.set({
      service: 'ses',
      status: 400,
      code: 'MessageRejected',
      message: 'not verified',
      times: 2,
    });
    expect(await deliver(start)).toEqual({ sent: 0, postponed: 1, givenUp: 0 });
    expect((await getAlert(state.table, id)).mail).toMatchObject({
      status: 'waiting',
      error: 'MessageRejected: not verified',
    });
    expect(await deliver(start + 30_000)).toEqual({ sent: 0, postponed: 0, givenUp: 0 });
    expect(await deliver(start + 60_000)).toEqual({ sent: 0, postponed: 1, givenUp: 0 });
    expect(await deliver(start + 120_000)).toMatchObject({ sent: 0 });
    expect(await deliver(start + 180_000)).toMatchObject({ sent: 1 });
    expect(sent()).toHaveLength(1);
  });

  test('is given up in the end, and that is seen', async () => {
    const id = await openWithMail();
    await state.services.faults.set({ service: 'ses', status: 503, code: 'ServiceUnavailable', times: 100 });
    for (let hour = 0; hour < 8; hour++) await deliver(start + hour * 7_200_000);
    await state.services.faults.clear();
    await deliver(start + 100 * 7_200_000);
    expect((await getAlert(state.table, id)).mail).toMatchObject({
      status: 'failed',
      error: expect.stringContaining('ServiceUnavailable'),
    });
    expect(sent()).toEqual([]);
  });

  test('waits for the end of quiet hours, but for a CRITICAL one', async () => {
    const rules = { quiet_hours: { from: '11:00', to: '13:30' }, time_zone: 'UTC' };
    await openWithMail('ERROR', rules);
    await openWithMail('CRITICAL', rules);
    await deliver(start);
    expect(sent()).toEqual([expect.stringMatching(/^\[CRITICAL\]/)]);
    await deliver(start + 89 * 60_000);
    expect(sent()).toHaveLength(1);
    await deliver(start + 90 * 60_000);
    expect(sent()).toHaveLength(2);
  });

  test('of notices comes once a day, all in one', async () => {
    const settings = thresholdsRequestSchema.parse({
      digest_at: '13:00',
      checks: { cache: { for_seconds: 0 }, slow_queries: { for_seconds: 0 } },
    });
    await writeSettings(state.table, 'shop', settings, 'test');
    const dependencies = { table: state.table, database: 'shop', configuration };
    const watch = (at: number, values: object) => watchAlerts(dependencies, { ...emptyWatch, latest: { at, values } });
    await watch(start, { cache_hit_ratio: 0.5 });
    await watch(start + 30_000, { cache_hit_ratio: 0.5, slow_queries: 2 });
    await deliver(start + 30_000);
    expect(sent()).toEqual([]);
    await watch(start + 3_600_000, {});
    await deliver(start + 3_600_000);
    expect(sent()).toEqual(['[INFO] shop: 2 notices of the last day']);
    await watch(start + 3_630_000, {});
    await deliver(start + 3_630_000);
    expect(sent()).toHaveLength(1);
  });

  test('says all that is to know, escapes it, and keeps to its headers', () => {
    const subject = mailSubject(
      {
        id: 'alr-1',
        database: 'shop',
        level: 'ERROR',
        title: 'Sequence <b>',
        value: 0.93,
        threshold: 0.9,
        unit: 'Ratio',
        what_to_do: 'Widen it',
        detail: 'public."a&b"',
      },
      'raised',
      [0.1, 0.5, 0.93],
      start,
    );
    const {
      subject: line,
      text,
      html,
    } = renderMail({ subjects: [subject], digest: false }, (id) => `https://x/?d=${id}&y="`);
    expect(line).toBe('[ERROR] shop: Sequence <b>: 93 % (threshold 90 %)');
    expect(text).toContain('What to do: Widen it');
    expect(text).toContain('Lately: ▁▄█  10 % to 93 %');
    expect(text).toContain('It got worse at 2026-03-02 12:00:00 UTC');
    expect(html).toContain('Sequence &lt;b&gt;');
    expect(html).toContain('public.&quot;a&amp;b&quot;');
    expect(html).toContain('href="https://x/?d=shop&amp;y=&quot;"');
    const evil = renderMail({ subjects: [{ ...subject, title: 'a\r\nBcc: x@y' }], digest: false }, () => null);
    expect(evil.subject).not.toMatch(/[\r\n]/);
  });
});

describe('an alarm', () => {
  const event = (alarmName: string, value: string) => ({
    'detail-type': 'CloudWatch Alarm State Change',
    time: '2026-03-02T12:00:00Z',
    detail: {
      alarmName,
      state: { value, reason: 'no data' },
      configuration: { description: 'No samples arrive: shop' },
    },
  });
  const changed = (name: string, value: string) =>
    alarmChanged({ table: state.table, configuration, cloudwatch, functions: ['dbms-backup'] }, event(name, value));

  test('of missing samples is an alert, once, with one mail, and is over with it', async () => {
    const name = databaseAlarmName('dbms', 'shop', 'no_samples');
    const opened = await changed(name, 'ALARM');
    expect(opened?.change).toBe('opened');
    expect(await changed(name, 'ALARM')).toBeNull();
    expect(await changed(name, 'INSUFFICIENT_DATA')).toBeNull();
    await deliver(start);
    expect(sent()).toEqual(['[CRITICAL] shop: No samples arrive']);
    expect(await changed(name, 'OK')).toEqual({ alert: opened?.alert, change: 'resolved' });
    expect(await changed(name, 'OK')).toBeNull();
  });

  test('about what a check watches is the alert of that check, which the check then ends', async () => {
    const name = databaseAlarmName('dbms', 'shop', 'availability');
    const opened = await changed(name, 'ALARM');
    const watch = (at: number, up: number) =>
      watchAlerts(
        { table: state.table, database: 'shop', configuration },
        { ...emptyWatch, latest: { at, values: { up } } },
      );
    await watch(start, 0);
    expect(await changed(name, 'OK')).toBeNull();
    expect((await getAlert(state.table, opened?.alert ?? '')).status).toBe('open');
    await watch(start + 30_000, 1);
    expect((await getAlert(state.table, opened?.alert ?? '')).status).toBe('resolved');
  });

  test('of a function concerns no database; of a database that is not configured, nobody', async () => {
    const opened = await changed('dbms/function/dbms-backup/errors', 'ALARM');
    expect(await getAlert(state.table, opened?.alert ?? '')).toMatchObject({ database: null, level: 'ERROR' });
    expect(await changed(databaseAlarmName('dbms', 'gone', 'disk'), 'ALARM')).toBeNull();
  });
});

test('an alert that was resolved by hand is not opened again while its cause lasts, and then is', async () => {
  const dependencies = { table: state.table, database: 'shop', configuration };
  const settings = thresholdsRequestSchema.parse({ checks: { sequence: { clear_seconds: 0 } } });
  await writeSettings(state.table, 'shop', settings, 'test');
  const watch = (at: number, sequence_usage: number) =>
    watchAlerts(dependencies, { ...emptyWatch, latest: { at, values: { sequence_usage } } });
  const [opened] = await watch(start, 0.8);
  await resolveByHand(state.table, opened?.alertId ?? '', { by: 'alice', now: new Date(start) });
  expect(await watch(start + 30_000, 0.8)).toEqual([]);
  // Worse than before, but still the same cause.
  await watch(start + 60_000, 0.95);
  expect(await getAlert(state.table, opened?.alertId ?? '')).toMatchObject({
    status: 'resolved',
    resolved_by: 'alice',
    level: 'WARNING',
  });
  await watch(start + 90_000, 0.1);
  const [again] = await watch(start + 120_000, 0.8);
  expect(again?.kind).toBe('open');
  expect((await getAlert(state.table, again?.alertId ?? '')).status).toBe('open');
});

test('an alert stays while it is open, and a year once it is resolved, by itself or by hand', async () => {
  const expiry = async (id: string): Promise<unknown> => {
    const { Item } = await state.table.documents.send(
      new GetCommand({ TableName: state.table.name, Key: { pk: `ALERT#${id}`, sk: 'ALERT' } }),
    );
    expect(Item?.id).toBe(id);
    return Item?.[stateKeys.timeToLive];
  };
  const [first, second] = [await openWithMail(), await openWithMail()];
  await acknowledgeAlert(state.table, first, { by: 'alice', now: new Date(start) });
  const rise = { event: 'raised', level: 'ERROR', value: 0.96, threshold: 0.95 } as const;
  await raiseAlert(state.table, second, rise, null, new Date(start));
  expect([await expiry(first), await expiry(second)]).toEqual([undefined, undefined]);

  // Long after it was opened: the year begins with its end.
  const resolved = new Date('2027-01-10T12:00:00.400Z');
  await resolveByHand(state.table, first, { by: 'alice', now: resolved });
  await resolveAlert(state.table, { ...(await getAlert(state.table, second)), value: null }, null, resolved);
  const aYearLater = Date.parse('2028-01-10T12:00:01Z') / 1000;
  expect([await expiry(first), await expiry(second)]).toEqual([aYearLater, aYearLater]);
});

test('times of day are those of the time zone, over midnight and a change of clocks', () => {
  const at = (text: string) => Date.parse(text);
  const night = { from: '22:00', to: '06:00' };
  expect(endOfQuietHours(at('2026-01-05T22:30:00Z'), night, 'Europe/Vienna')).toBe(at('2026-01-06T05:00:00Z'));
  expect(endOfQuietHours(at('2026-07-05T20:30:00Z'), night, 'Europe/Vienna')).toBe(at('2026-07-06T04:00:00Z'));
  expect(endOfQuietHours(at('2026-07-05T12:00:00Z'), night, 'Europe/Vienna')).toBeNull();
  expect(endOfQuietHours(at('2026-01-05T12:00:00Z'), { from: '12:00', to: '13:00' }, 'UTC')).toBe(
    at('2026-01-05T13:00:00Z'),
  );
  expect(nextTimeOfDay(at('2026-01-05T08:00:00Z'), '08:00', 'UTC')).toBe(at('2026-01-06T08:00:00Z'));
});

test('values are written in the unit that fits', () => {
  expect(
    [
      [0.853, 'Ratio'],
      [90, 'Seconds'],
      [7200, 'Seconds'],
      [1.5e9, 'Bytes'],
      [12_345, 'Milliseconds'],
      [3, 'Count'],
      [null, 'Days'],
    ].map(([value, unit]) => formatValue(value as number | null, String(unit))),
  ).toEqual(['85.3 %', '1.5 min', '2 h', '1.5 GB', '12.3 s', '3', 'unknown']);
  expect(sparkline([1])).toBe('');
  expect(sparkline([5, 5, 5])).toBe('▁▁▁');
  expect(sparkline(Array.from({ length: 400 }, (_, index) => index))).toHaveLength(40);
});

describe('a mail that comes back', () => {
  /** As SES's event publishing writes it to EventBridge. */
  const eventAbout = (id: string, detail: object) => ({
    ...{ version: '0', source: 'aws.ses', 'detail-type': 'Email Bounced', time: '2026-03-02T12:05:00Z' },
    detail: {
      mail: {
        ...{ messageId: 'message', destination: ['dba@example.com'] },
        tags: { 'ses:configuration-set': ['dbms-alerts'], mail: [Buffer.from(`${id}#opened`).toString('base64url')] },
      },
      ...detail,
    },
  });
  const returned = (event: unknown) => mailReturned({ table: state.table, configuration }, event);
  const bounce = {
    eventType: 'Bounce',
    bounce: {
      ...{ bounceType: 'Permanent', bounceSubType: 'General' },
      bouncedRecipients: [{ emailAddress: 'dba@example.com', status: '5.1.1' }],
    },
  };

  test('is seen at its alert, and once as an alert of this system', async () => {
    const id = await openWithMail();
    await deliver(start);
    expect((await getAlert(state.table, id)).mail).toMatchObject({ status: 'sent' });
    expect(await returned(eventAbout(id, bounce))).toMatchObject({ mail: `${id}#opened` });
    const { mail } = await getAlert(state.table, id);
    expect(mail).toEqual({
      status: 'returned',
      at: '2026-03-02T12:05:00.000Z',
      error: 'Returned by example.com: Permanent, General',
    });
    await returned(eventAbout(id, bounce));
    const about = await alertOfCause(state.table, { database: null, cause: 'mail:returned' });
    expect(await getAlert(state.table, about ?? '')).toMatchObject({
      level: 'ERROR',
      status: 'open',
      detail: mail.error,
    });
    await deliver(start + 600_000);
    expect(sent().filter((subject) => subject.includes('do not arrive'))).toHaveLength(1);
  });

  test('tells of spam and of what SES refuses as well, and never an address', async () => {
    const id = await openWithMail();
    await deliver(start);
    const complaint = {
      eventType: 'Complaint',
      complaint: { complainedRecipients: [{ emailAddress: 'dba@example.com' }] },
    };
    expect((await returned(eventAbout(id, complaint)))?.error).toBe('Reported as spam by example.com');
    const reject = { eventType: 'Reject', reject: { reason: 'Bad content' } };
    expect((await returned(eventAbout(id, reject)))?.error).toBe('Refused by SES: Bad content');
    expect(await returned(eventAbout('nobody', bounce))).toBeNull();
    const { tags: _, ...untagged } = eventAbout(id, bounce).detail.mail;
    expect(await returned({ ...eventAbout(id, bounce), detail: { ...bounce, mail: untagged } })).toBeNull();
  });
});
