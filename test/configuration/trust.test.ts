import { expect, test } from 'vitest';
import { restoreOptionsOf } from '../../shared/backup/restore/request-options.ts';
import { isLessTrusted } from '../../shared/configuration/trust.ts';

test('only a lower level that is known is trusted less', () => {
  expect(isLessTrusted({ trust: 'production' }, { trust: 'staging' })).toBe(true);
  expect(isLessTrusted({ trust: 'staging' }, { trust: 'development' })).toBe(true);
  expect(isLessTrusted({ trust: 'staging' }, { trust: 'production' })).toBe(false);
  expect(isLessTrusted({ trust: 'staging' }, { trust: 'staging' })).toBe(false);
  for (const from of [undefined, {}]) expect(isLessTrusted(from, { trust: 'development' })).toBe(false);
  expect(isLessTrusted({ trust: 'production' }, {})).toBe(false);
});

test('what is not masked is refused there unless the request allows it', () => {
  expect(restoreOptionsOf({}, true).refuseUnmasked).toBe(true);
  expect(restoreOptionsOf({ allow_unmasked: false }, true).refuseUnmasked).toBe(true);
  expect(restoreOptionsOf({ allow_unmasked: true }, true).refuseUnmasked).toBe(false);
  expect(restoreOptionsOf({}, false).refuseUnmasked).toBe(false);
});
