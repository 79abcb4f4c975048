import { sign } from 'node:crypto';

/** A certificate for `localhost` that signs itself, and its key; valid for a century and good for tests alone. */
export const certificate = `-----BEGIN CERTIFICATE-----
MIIBlDCCATugAwIBAgIUOk4VcAsgfypdpfo/DzXbrnVoxZ0wCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyNDAyNDUzMloYDzIxMjYxMDMx
MDI0NTMyWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAASsUTS5HI41MG3U5pNCpjFTyDMO74ihagF7fHWP/UTekNXfX+hhMozv
t+iKfrMMy4O6znBwUiW0GqUVi3hBoOQUo2kwZzAdBgNVHQ4EFgQUTF38EHIqZk5S
8swOPKfNpcYhUI4wHwYDVR0jBBgwFoAUTF38EHIqZk5S8swOPKfNpcYhUI4wDwYD
VR0TAQH/BAUwAwEB/zAUBgNVHREEDTALgglsb2NhbGhvc3QwCgYIKoZIzj0EAwID
RwAwRAIgAZACY6meAri8EhLouNIjWEsIsYGV2WOjZNEamBzqeqYCIAhePmamEXa2
sWWM0yZbKUrlXuANfLLrQbLkIlVTHHeL
-----END CERTIFICATE-----
`;

export const privateKey = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQglTHbkHs8dLaJcL2Y
J3anR1PZNlMAzIhS/AAr5iJTioOhRANCAASsUTS5HI41MG3U5pNCpjFTyDMO74ih
agF7fHWP/UTekNXfX+hhMozvt+iKfrMMy4O6znBwUiW0GqUVi3hBoOQU
-----END PRIVATE KEY-----
`;

/**
 * The same certificate with another end, signed anew with its key: of its DER encoding the end is replaced, a GeneralizedTime
 * (RFC 5280, 4.1.2.5.2), and the signature over the part that holds it.
 */
export function certificateUntil(end: Date): string {
  const der = Buffer.from(certificate.replaceAll(/-----[A-Z ]+-----|\s/g, ''), 'base64');
  const digits = end.toISOString().replaceAll(/\D/g, '').slice(0, 14);
  const signed = Buffer.from(der.subarray(LONG_HEADER, LONG_HEADER + lengthAt(der, LONG_HEADER) + LONG_HEADER));
  signed.write(`${digits}Z`, signed.indexOf('21261031024532Z'), 'latin1');
  const at = LONG_HEADER + signed.length;
  const algorithm = der.subarray(at, at + 2 + (der[at + 1] ?? 0));
  const signature = sign('sha256', signed, privateKey);
  const bits = Buffer.concat([Buffer.from([0x03, signature.length + 1, 0]), signature]);
  const body = Buffer.concat([signed, algorithm, bits]);
  const whole = Buffer.concat([Buffer.from([0x30, 0x82, body.length >> 8, body.length & 0xff]), body]);
  const lines = whole.toString('base64').replaceAll(/.{64}/g, '$&\n');
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
}

/** Tag, the number of bytes that the length takes, and those two. */
const LONG_HEADER = 4;
const lengthAt = (der: Buffer, at: number): number => der.readUInt16BE(at + 2);
