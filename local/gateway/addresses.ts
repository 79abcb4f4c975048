import { BlockList, isIP } from 'node:net';
import type { RestApi } from '../template/api.ts';
import type { GatewayRequest } from './request.ts';

/** Whether the API's resource policy lets a request's address in. */
export function createAddressCheck({ addressRanges }: RestApi): (request: GatewayRequest) => boolean {
  if (addressRanges === null) return () => true;
  const family = (address: string) => (isIP(address) === 6 ? 'ipv6' : 'ipv4');
  const allowed = new BlockList();
  for (const range of addressRanges) {
    const [network = '', bits = ''] = range.split('/');
    allowed.addSubnet(network, Number(bits), family(network));
  }
  return ({ sourceIp }) => allowed.check(sourceIp, family(sourceIp));
}
