import fc from 'fast-check';
import { expect, test } from 'vitest';
import { addressFilter } from '../../shared/access/address.ts';

test.each([
  [['10.0.0.0/8'], '10.255.1.2', true],
  [['10.0.0.0/8'], '11.0.0.1', false],
  [['10.0.0.0/8'], '::ffff:10.1.1.1', true],
  [['10.0.0.0/8'], '2001:db8::1', false],
  [['2001:db8::/32'], '2001:db8:ffff::1', true],
  [['2001:db8::/32'], '2001:db9::1', false],
  [['192.0.2.7/32', '2001:db8::7/128'], '2001:db8::7', true],
  [['0.0.0.0/0'], '2001:db8::1', false],
  [['0.0.0.0/0', '::/0'], '2001:db8::1', true],
  [['0.0.0.0/0', '::/0'], '', false],
  [['0.0.0.0/0', '::/0'], '1.2.3', false],
  [['0.0.0.0/0', '::/0'], '1.2.3.4, 5.6.7.8', false],
])('in %j the address %j is allowed: %j', (ranges, address, allowed) => {
  expect(addressFilter(ranges)(address)).toBe(allowed);
});

test('a range takes exactly the addresses whose first bits are its own', () => {
  const text = (bits: number): string => [24, 16, 8, 0].map((shift) => (bits >>> shift) & 255).join('.');
  fc.assert(
    fc.property(fc.nat(2 ** 32 - 1), fc.nat(2 ** 32 - 1), fc.nat(32), (network, address, length) => {
      const mask = length === 0 ? 0 : (-1 << (32 - length)) >>> 0;
      const inside = (network & mask) >>> 0 === (address & mask) >>> 0;
      expect(addressFilter([`${text(network)}/${length}`])(text(address))).toBe(inside);
    }),
  );
});
