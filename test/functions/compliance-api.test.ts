import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Compliance, complianceSchema } from '../../shared/contract/schemas/compliance.ts';
import { mailReport } from '../../shared/security/compliance/mail.ts';
import { ruleIds } from '../../shared/security/compliance/registry.ts';
import { startApi, type TestApi } from './api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api?.close());

const day = (days: number): string => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);
const report = async (format = 'json', database = 'shop') => {
  const answer = await api.call({
    method: 'GET',
    path: '/security/compliance',
    as: ['auditor'],
    query: { format, database },
  });
  expect(answer.status).toBe(200);
  return answer;
};
const ruleOf = (body: Compliance, id: string) => body.rules.find((rule) => rule.id === id);
const waive = (rule: string, body: unknown) =>
  api.call({ method: 'PUT', path: `/security/compliance/waivers/${rule}`, body });
const end = (rule: string) => api.call({ method: 'DELETE', path: `/security/compliance/waivers/${rule}` });

test('the report has every rule; what cannot be read is unknown and counts as if it failed', async () => {
  const { body } = await report();
  const parsed = complianceSchema.parse(body);
  expect(parsed.rules.map(({ id }) => id)).toEqual(ruleIds);
  expect(ruleOf(parsed, 'tls_enabled')).toMatchObject({
    status: 'unknown',
    found: expect.stringMatching(/./),
    mend: [],
  });
  expect(ruleOf(parsed, 'backup_age')).toMatchObject({
    status: 'fail',
    mend: [{ by: 'api', statement: expect.stringMatching(/^POST /) }],
  });
  expect(parsed.counts.unknown).toBeGreaterThan(30);
  expect(parsed.score).toBeLessThan(50);
  expect(parsed.trend).toHaveLength(1);
  expect(parsed.sources).toHaveLength(6);
});

test('a waiver holds to the end of its last day, is shown with its reason, can be renewed and ended', async () => {
  const before = (await report()).body.score;
  const given = { reason: 'Until the move to the new server', until: day(10) };
  expect((await waive('tls_enabled', given)).body.waivers).toMatchObject([
    { rule: 'tls_enabled', ...given, by: 'alice' },
  ]);
  expect((await waive('tls_enabled', { ...given, until: day(20) })).status).toBe(200);
  const { body } = await report();
  expect(ruleOf(body, 'tls_enabled')).toMatchObject({
    status: 'waived',
    waiver: { until: day(20), reason: given.reason },
  });
  expect(body.counts.waived).toBe(1);
  expect(body.score).toBeGreaterThan(before);
  expect(ruleOf((await report('json', 'crm')).body, 'tls_enabled')?.waiver).toBeNull();
  expect((await end('tls_enabled')).body.waivers).toEqual([]);
  expect(ruleOf((await report()).body, 'tls_enabled')).toMatchObject({ status: 'unknown', waiver: null });
  expect((await end('tls_enabled')).problem.code).toBe('not_waived');
});

test.each([
  ['no such rule', 'no_such_rule', { reason: 'a reason that is one', until: day(1) }, 404, 'path.rule'],
  ['no reason', 'tls_enabled', { reason: '   because ', until: day(1) }, 400, 'body.reason'],
  ['an end that has passed', 'tls_enabled', { reason: 'a reason that is one', until: day(-1) }, 400, 'body.until'],
  ['an end too far away', 'tls_enabled', { reason: 'a reason that is one', until: day(400) }, 400, 'body.until'],
  ['an end that is no day', 'tls_enabled', { reason: 'a reason that is one', until: 'soon' }, 400, 'body.until'],
])('a waiver is refused: %s', async (_, rule, body, status, field) => {
  const answer = await waive(rule, body);
  expect([answer.status, answer.problem.errors?.map((error) => error.field)]).toEqual([status, [field]]);
});

test('as CSV it has a line for each rule, and nothing that a spreadsheet would run', async () => {
  await waive('log_hostname', { reason: '=HYPERLINK("https://evil.example")', until: day(3) });
  const { headers, body } = await report('csv');
  expect(headers).toMatchObject({
    'Content-Type': 'text/csv; charset=utf-8',
    'Content-Disposition': expect.stringMatching(/^attachment; filename="compliance-shop-\d{4}-\d\d-\d\d\.csv"$/),
  });
  const text = String(body);
  for (const id of ruleIds) expect(text).toMatch(new RegExp(`(^|,)${id},`, 'm'));
  expect(text).toContain(`"'=HYPERLINK(""https://evil.example"")"`);
  await end('log_hostname');
});

test('as a page it runs and loads nothing, and shows names as they are', async () => {
  await waive('log_hostname', { reason: '<script>alert(1)</script>', until: day(3) });
  const { headers, body } = await report('html');
  const text = String(body);
  expect(headers['Content-Type']).toBe('text/html; charset=utf-8');
  expect(headers['Content-Security-Policy']).toMatch(/^default-src 'none'; style-src 'sha256-[^']+';/);
  expect(text).toContain('&lt;script&gt;alert(1)&lt;/script&gt;');
  expect(text).not.toMatch(/<script|<img|<link|javascript:/i);
  await end('log_hostname');
});

test('the mail says the score and what fails, to all who receive alerts, or is not sent', async () => {
  const ses = (await import('../../shared/aws/clients.ts')).sesClient();
  const { body } = await report();
  await mailReport(body, { ses, configuration: { alert_emails: [] } });
  expect(api.services.emails()).toEqual([]);
  await mailReport(body, { ses, configuration: { alert_emails: ['dba@example.com', 'ciso@example.com'] } });
  const [mail, ...more] = api.services.emails();
  expect(more).toEqual([]);
  expect(mail).toMatchObject({
    subject: `Compliance of shop: ${body.score.toFixed(1)} of 100, ${body.counts.fail} to mend`,
    text: expect.stringContaining('(backup_age)'),
  });
  expect(JSON.stringify(mail)).toContain('ciso@example.com');
});

test('the schedule reports on every database', async () => {
  const { handler } = await import('../../functions/check-compliance.ts');
  const scores = await handler();
  expect(Object.keys(scores)).toEqual(['shop', 'crm']);
  expect(scores.shop).toBe((await report()).body.score);
});

test('logins of servers that cannot be reached are said not to be looked at, each by its name', async () => {
  const { handler } = await import('../../functions/note-logins.ts');
  await expect(handler()).rejects.toThrow('Logins were not looked at: shop, crm; the log says why');
});
