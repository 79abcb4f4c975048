import type { AddressLimit } from '../template/api.ts';

/** Addresses that are counted at a time. */
const MAX_ADDRESSES = 10_000;

/** Whether the web ACL lets a request of an address through: as AWS WAF, it looks back over its window, and counts what it refuses as well. */
export function createAddressLimit(
  limit: AddressLimit | null,
  now: () => number = Date.now,
): (address: string) => boolean {
  const seen = new Map<string, number[]>();
  return (address) => {
    if (!limit) return true;
    const time = now();
    const recent = (seen.get(address) ?? []).filter((at) => at > time - limit.seconds * 1000);
    recent.push(time);
    if (seen.size >= MAX_ADDRESSES) seen.clear();
    // More of them than one beyond the limit change nothing.
    seen.set(address, recent.slice(-limit.requests - 1));
    return recent.length <= limit.requests;
  };
}
