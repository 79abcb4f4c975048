import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { renderMail } from '../../shared/alerts/render-mail.ts';
import { OperationError } from '../../shared/errors.ts';
import { createLogger } from '../../shared/http/log.ts';
import { problemOf } from '../../shared/http/problem.ts';
import { toJobError } from '../../shared/jobs/attempts.ts';
import { redact, redactText } from '../../shared/redaction/redact.ts';

const alphanumeric = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';
const word = (minLength: number, maxLength = 40) =>
  fc.string({ unit: fc.constantFrom(...alphanumeric), minLength, maxLength });
/** A value that would be seen: it has nothing in common with the words around it. */
const value = word(12).map((text) => `Zq${text}7`);

/** Texts around something that nobody should read, and that something. */
const secrets: Record<string, fc.Arbitrary<{ text: string; hidden: string }>> = {
  'an email': fc
    .tuple(value, word(3))
    .map(([name, host]) => ({ text: `mail to ${name}@${host}.example failed`, hidden: name })),
  'a JWT': fc
    .tuple(word(10), value, word(10))
    .map(([a, b, c]) => ({ text: `token eyJ${a}.${b}.${c} expired`, hidden: b })),
  'a bearer token': value.map((hidden) => ({ text: `Authorization: Bearer ${hidden}`, hidden })),
  'a password in a connection string': value.map((hidden) => ({
    text: `cannot connect to postgres://dbms:${hidden}@db.example:5432/shop`,
    hidden,
  })),
  'a password in SQL': value.map((hidden) => ({ text: `ALTER ROLE dbms PASSWORD '${hidden}'`, hidden })),
  'a password in libpq’s form': value.map((hidden) => ({ text: `host=db password=${hidden} port=5432`, hidden })),
  'a secret in JSON': fc
    .tuple(fc.constantFrom('password', 'client_secret', 'access_token', 'apiKey', 'SecretAccessKey', 'cookie'), value)
    .map(([name, hidden]) => ({ text: `{"user": "dbms", "${name}": "${hidden}"}`, hidden })),
  'a signature in an address': value.map((hidden) => ({
    text: `https://b.s3.example/o?X-Amz-Date=1&X-Amz-Signature=${hidden}&x=1`,
    hidden,
  })),
  'an access key': fc
    .string({ unit: fc.constantFrom(...'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'), minLength: 16, maxLength: 16 })
    .map((key) => ({ text: `signed by AKIA${key} now`, hidden: key })),
  'a private key': value.map((hidden) => ({
    text: `-----BEGIN PRIVATE KEY-----\n${hidden}\n-----END PRIVATE KEY-----`,
    hidden,
  })),
  'a verifier of a password': value.map((hidden) => ({ text: `SCRAM-SHA-256$4096:${hidden}$a:b`, hidden })),
  'the value of a key': value.map((hidden) => ({ text: `Key (name, id)=(${hidden}, 3) already exists.`, hidden })),
  'a row': value.map((hidden) => ({ text: `Failing row contains (1, ${hidden}, (2)).`, hidden })),
  'parameters of a statement': value.map((hidden) => ({ text: `Parameters: $1 = '${hidden}', $2 = NULL`, hidden })),
  'what the server could not read': value.map((hidden) => ({
    text: `invalid input syntax for type integer: "${hidden}"`,
    hidden,
  })),
};

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
