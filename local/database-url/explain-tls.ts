import { shown } from './greeting.ts';
import { placeOf } from './place.ts';
import type { DatabaseAddress } from './settings.ts';

const untrusted = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_UNTRUSTED',
  'CERT_SIGNATURE_FAILURE',
  'INVALID_CA',
]);

/** What a TLS connection failed with, in words about the address; null when it was something else. */
export function explainTls(error: unknown, address: DatabaseAddress): [message: string, hint: string] | null {
  const {
    code = '',
    message = '',
    cert,
  } = (error ?? {}) as {
    code?: string;
    message?: string;
    cert?: { subjectaltname?: string; subject?: { CN?: string } };
  };
  const server = placeOf(address);
  if (untrusted.has(code)) {
    return [
      `the certificate of ${server} is signed by no authority that is trusted here (${code})`,
      'Give the certificate of its authority with sslrootcert=FILE; sslmode=require without such a file encrypts and does not verify.',
    ];
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    const names = shown(cert?.subjectaltname ?? cert?.subject?.CN ?? 'no name', 200);
    return [
      `the certificate of ${server} is for another host: ${names}`,
      `Write a host that it names into the address, or sslmode=verify-ca, which does not compare the name.`,
    ];
  }
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID') {
    return [
      `the certificate of ${server} ${code === 'CERT_HAS_EXPIRED' ? 'has expired' : 'is not valid yet'}`,
      "Renew it on the server, and check this machine's clock.",
    ];
  }
  if (code === 'CERT_REVOKED') {
    return [`the certificate of ${server} is revoked`, 'Renew it on the server.'];
  }
  if (!/certificate|CERT_|CRL|SSL|TLS/i.test(`${code} ${message}`)) return null;
  return [
    `no TLS connection to ${server} with sslmode=${address.tls.mode}: ${shown(message || code)}`,
    'Check the certificates that the address names and those of the server, whose log may say more.',
  ];
}
