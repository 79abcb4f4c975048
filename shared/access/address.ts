import { BlockList, isIP } from 'node:net';

/**
 * Whether an address lies in one of the ranges.
 *
 * @param ranges - CIDR, of either family
 * @returns a test; false for what is no address
 */
export function addressFilter(ranges: readonly string[]): (address: string) => boolean {
  const allowed = new BlockList();
  for (const range of ranges) {
    const [network = '', bits = ''] = range.split('/');
    allowed.addSubnet(network, Number(bits), isIP(network) === 6 ? 'ipv6' : 'ipv4');
  }
  return (address) => {
    const family = isIP(address);
    return family !== 0 && allowed.check(address, family === 6 ? 'ipv6' : 'ipv4');
  };
}
