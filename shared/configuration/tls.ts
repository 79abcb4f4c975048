import * as z from 'zod';

/** How far a connection is protected; each means what `sslmode` means to libpq. */
export const tlsModes = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const;

/** TLS of the connections to one database. */
export const tlsSchema = z.strictObject({
  /** By default the certificate and the host name are verified. `verify` is another name for `verify-full`. */
  mode: z
    .enum([...tlsModes, 'verify'])
    .default('verify-full')
    .transform((mode) => (mode === 'verify' ? 'verify-full' : mode)),
  /**
   * PEM text of the certificate authorities. Where it is given, every mode with TLS verifies the certificate by it, as libpq does
   * when it finds a root certificate file. Without it, `verify-full` trusts the RDS bundle and the public authorities, `verify-ca`
   * the RDS bundle alone.
   */
  ca: z.string().min(1).optional(),
  /** PEM text of the certificate revocation lists that are applied in addition. */
  crl: z.string().min(1).optional(),
});

export type TlsMode = (typeof tlsModes)[number];
export type Tls = z.output<typeof tlsSchema>;

/** Whether a server must show a certificate that is verified. */
export const verifiesCertificate = ({ mode, ca }: Tls): boolean =>
  mode.startsWith('verify-') || (ca !== undefined && mode === 'require');
