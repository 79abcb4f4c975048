import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { renderMail } from '../../shared/alerts/render-mail.ts';
import { OperationError } from '../../shared/errors.ts';
import { createLogger } from '../../shared/http/log.ts';
import { problemOf } from '../../shared/http/problem.ts';
import { toJobError } from '../../shared/jobs/attempts.ts';
import { redact, redactText } from '../../shared/redaction/redact.ts';
import { secrets } from './secrets.ts';

describe.each(Object.entries(secrets))('%s', (_what, secret) => {
  test('is masked in any text, and masked once is masked for good', () => {
    fc.assert(
      fc.property(secret, fc.string(), fc.string(), ({ text, hidden }, before, after) => {
        const shown = redactText(`${before.replaceAll('"', '')} ${text} ${after}`);
        expect(shown).not.toContain(hidden);
        expect(redactText(shown)).not.toContain(hidden);
      }),
    );
  });

  test('is masked in logs, errors, answers and mails', () => {
    const lines: string[] = [];
    const written = vi.spyOn(process.stderr, 'write').mockImplementation((line) => lines.push(String(line)) > 0);
    try {
      fc.assert(
        fc.property(secret, ({ text, hidden }) => {
          const cause = new Error(text);
          const error = new OperationError('database_unreachable', text, text, { cause });
          expect(problemOf(error, 'request-1').body).not.toContain(hidden);
          expect(JSON.stringify([toJobError(error), toJobError(cause)])).not.toContain(hidden);
          const mail = renderMail(
            {
              digest: false,
              subjects: [
                {
                  alert_id: 'alr-1',
                  database: 'shop',
                  event: 'opened',
                  level: 'ERROR',
                  title: text,
                  value: null,
                  threshold: null,
                  unit: 'None',
                  what_to_do: text,
                  detail: text,
                  recent: [],
                  at: '2026-01-01T00:00:00Z',
                },
              ],
            },
            () => null,
          );
          expect(JSON.stringify(mail)).not.toContain(hidden);
          expect(JSON.stringify(redact({ detail: [text] }))).not.toContain(hidden);
          lines.length = 0;
          createLogger('test').error(text, { error, detail: { texts: [text] } });
          expect(lines).toHaveLength(1);
          expect(lines[0]).not.toContain(hidden);
        }),
        { numRuns: 30 },
      );
    } finally {
      written.mockRestore();
    }
  });
});

describe('what nobody need hide', () => {
  test.each([
    'No connection to shop at db.example:5432: timed out',
    'arn:aws:secretsmanager:eu-west-1:111122223333:secret:shop-AbCdEf',
    'bkp-01JZ8Q4F7M3N5P6R8S9T0V1W2X of shop: 12 tables, 1024 bytes',
    'password authentication failed for user "dbms"',
    'relation "public.tokens" does not exist',
    '2026-11-25T04:05:06.789Z 0/16B3748',
  ])('stays as it is: %s', (text) => {
    expect(redactText(text)).toBe(text);
  });

  test('stays as it is by the name of its field as well', () => {
    const shown = { secret_arn: 'arn:aws:secretsmanager:x:1:secret:y', database: 'shop', tokens: 3, token: null };
    expect(redact(shown)).toEqual(shown);
  });
});

test('a secret is masked by the name of its field, and a statement loses its constants', () => {
  const given = {
    login: { password: 'x y', username: 'dbms' },
    token: ['a'],
    sql: "SELECT 1 FROM t WHERE name = 'x y'",
    missing: undefined,
  };
  expect(redact(given)).toEqual({
    login: { password: '[secret]', username: 'dbms' },
    token: '[secret]',
    sql: 'SELECT ? FROM t WHERE name = ?',
  });
});

test('a long text that is nothing of the kind is read in a moment', () => {
  for (const piece of [
    'a',
    'a.',
    'a@',
    "'",
    '$1 = ',
    'Key (',
    'password=',
    '://a:',
    '-----BEGIN PRIVATE KEY-----',
    ' ',
  ]) {
    expect(redactText(piece.repeat(50_000)).length).toBeGreaterThan(0);
  }
});
