import { bundleAddress, regionWithoutAuthority } from '../aws/rds-authorities.ts';
import { unsupportedEndpoint } from '../aws/rds-endpoint.ts';
import { type Tls, verifiesCertificate } from '../configuration/tls.ts';
import { OperationError } from '../errors.ts';

interface Address {
  host: string;
  port: number;
  tls: Tls;
  setting?: 'host' | 'direct.host' | undefined;
}

/**
 * Says before anything connects that nothing can be done at an address: it is of a service that this system does not work with, or of a
 * region whose certificate authority is not known and was not configured.
 *
 * @returns `server_unsupported` or `authority_unknown`; null where nothing is known against it
 */
export function addressProblem({ host, port, tls, setting = 'host' }: Address): OperationError | null {
  const unsupported = unsupportedEndpoint(host);
  if (unsupported !== null) {
    return new OperationError(
      'server_unsupported',
      `The address ${host}:${port} ${unsupported}. Nothing was begun.`,
      `Correct \`${setting}\` in the configuration of this database, or take the database out of it.`,
    );
  }
  const region = verifiesCertificate(tls) && tls.ca === undefined ? regionWithoutAuthority(host) : null;
  if (region === null) return null;
  return new OperationError(
    'authority_unknown',
    `The certificate of ${host}:${port} cannot be verified: this system has no certificate authority of RDS for the region ${region}. Nothing was sent.`,
    `Download ${bundleAddress(region)} and give its text as \`tls: { ca: "..." }\` in the configuration of this database.`,
  );
}
