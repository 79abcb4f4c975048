import { describe, expect, test } from 'vitest';
import { type ErrorCode, errorCatalogue } from '../../shared/core/errors/catalogue.ts';
import { isResumable, isRetryable, isTransientServiceError, knownCode } from '../../shared/core/errors/kinds.ts';
import { OperationError } from '../../shared/errors.ts';
import { problemOf } from '../../shared/http/problem.ts';

const codes = Object.keys(errorCatalogue) as ErrorCode[];
const answerTo = (error: unknown) => JSON.parse(problemOf(error, 'request-1').body);

test.each(codes)('%s answers with its own status and text', (code) => {
  const answer = answerTo(new OperationError(code, 'what happened', 'what to do'));
  expect(answer).toMatchObject({
    status: errorCatalogue[code].status,
    code,
    detail: 'what happened',
    next_step: 'what to do',
  });
});

test('an unreadable secret is named, and its text keeps no secret', () => {
  const error = new OperationError(
    'secret_unreadable',
    'The secret x cannot be read: token=abcdef',
    'Let the function read it.',
  );
  expect(answerTo(error)).toMatchObject({ status: 503, detail: 'The secret x cannot be read: token=[secret]' });
});

test('a code that is not in the catalogue does not compile', () => {
  // @ts-expect-error -- that it is an error is what is tested
  const error = new OperationError('made_up', '', '');
  expect(error.code).toBe('made_up');
});

describe('trying again', () => {
  test('helps for causes whose answer says so, too', () => {
    const wrong = codes.filter((code) => isRetryable({ code }) && errorCatalogue[code].status !== 503);
    expect(wrong).toEqual([]);
  });

  test.each([
    ['connection_lost', true, true, true],
    ['snapshot_lost', true, false, false],
    ['table_locked', false, false, true],
    ['secret_unreadable', false, false, false],
    ['of_another_version', false, false, false],
  ])('after %s: the whole work %s, within a whole %s, a piece alone %s', (code, whole, within, piece) => {
    expect([isRetryable({ code }), isRetryable({ code }, 'within'), isRetryable({ code }, 'piece')]).toEqual([
      whole,
      within,
      piece,
    ]);
  });

  test('goes on from where work was ended after lost connections and services, not after a full disk or a damaged object', () => {
    const resumed = codes.filter((code) => isResumable({ code }));
    expect(resumed).toEqual(
      expect.arrayContaining([
        'connection_lost',
        'database_unreachable',
        'store_failed',
        'key_unavailable',
        'key_refused',
      ]),
    );
    for (const code of ['disk_full', 'object_damaged']) expect(isResumable({ code })).toBe(false);
  });
});

test.each([
  ['ThrottlingException', {}, 503],
  ['ProvisionedThroughputExceededException', {}, 503],
  ['TimeoutError', {}, 503],
  ['SomethingElse', { $metadata: { httpStatusCode: 502 } }, 503],
  ['SomethingElse', { $retryable: {} }, 503],
  ['AccessDeniedException', { $metadata: { httpStatusCode: 400 } }, 500],
  ['TypeError', {}, 500],
])('an error %s of a service with %j answers %i', (name, more, status) => {
  const error = Object.assign(new Error('of a service'), { name }, more);
  expect(answerTo(error).status).toBe(status);
  expect(isTransientServiceError(error)).toBe(status === 503);
});

test('a code that another version stored is taken for the one that stands for it', () => {
  expect(knownCode('disk_full', 'export_failed')).toBe('disk_full');
  expect(knownCode('constructor', 'export_failed')).toBe('export_failed');
});
