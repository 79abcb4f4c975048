import { createPrivateKey, X509Certificate } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { getCACertificates } from 'node:tls';
import { type Tls, type TlsMode, tlsModes } from '../../shared/configuration/tls.ts';
import type { ClientCertificate } from '../../shared/postgres/tls.ts';
import { quoteShell } from '../../shared/quote-shell.ts';
import { malformed } from './error.ts';
import type { Parameters } from './parameters.ts';

interface Place {
  home: string;
  /** What relative paths begin at. */
  folder: string;
  /** Sockets are never encrypted: no file is read for them. */
  isSocket: boolean;
}

/**
 * TLS as `sslmode`, `sslrootcert` and `sslcrl` ask for it, with the certificates read.
 *
 * @see https://www.postgresql.org/docs/current/libpq-ssl.html
 * @throws DatabaseUrlError
 */
export function tlsOf(
  { sslmode, sslrootcert, sslcrl }: Parameters,
  { home, folder, isSocket }: Place,
): { tls: Tls; files: { sslrootcert?: string; sslcrl?: string } } {
  const mode = modeOf(sslmode || (sslrootcert === 'system' ? 'verify-full' : 'prefer'));
  if (isSocket || mode === 'disable') return { tls: { mode }, files: {} };
  if (sslrootcert === 'system') {
    if (mode !== 'verify-full') {
      throw malformed(
        `sslmode=${mode} is too weak for sslrootcert=system`,
        'Write sslmode=verify-full, or leave sslmode out.',
      );
    }
    return { tls: { mode, ca: getCACertificates('system').join('\n') }, files: { sslrootcert } };
  }
  const root = sslrootcert ? resolve(folder, sslrootcert) : join(home, '.postgresql', 'root.crt');
  const revoked = sslcrl ? resolve(folder, sslcrl) : join(home, '.postgresql', 'root.crl');
  if (!existsSync(root) && (sslrootcert || mode.startsWith('verify-'))) {
    throw malformed(
      `the root certificate file ${root} does not exist`,
      `Give the file of the authority that signed the server's certificate as sslrootcert=, or sslrootcert=system for the authorities that this machine trusts${
        sslrootcert ? '' : ', or another sslmode: require encrypts without verifying the server'
      }.`,
    );
  }
  if (sslcrl && !existsSync(revoked)) {
    throw malformed(`the revocation list ${revoked} does not exist`, 'Correct sslcrl=, or leave it out.');
  }
  const ca = existsSync(root) ? authorities(root) : undefined;
  const crl = existsSync(revoked) ? read('the revocation list', revoked) : undefined;
  return {
    tls: { mode, ...(ca === undefined ? {} : { ca }), ...(crl === undefined || ca === undefined ? {} : { crl }) },
    files: {
      ...(sslrootcert ? { sslrootcert: root } : {}),
      ...(sslcrl ? { sslcrl: revoked } : {}),
    },
  };
}

function modeOf(text: string): TlsMode {
  const mode = tlsModes.find((each) => each === text);
  if (mode) return mode;
  throw malformed(`its sslmode "${text}" is none`, `Use one of ${tlsModes.join(', ')}.`);
}

function authorities(path: string): string {
  const text = read('the root certificate file', path);
  try {
    new X509Certificate(text);
    return text;
  } catch (cause) {
    throw malformed(
      `the root certificate file ${path} holds no certificate in PEM form`,
      'Correct sslrootcert=.',
      cause,
    );
  }
}

/**
 * The certificate by which this side logs in, from `sslcert` and `sslkey` or from `~/.postgresql`. A key with a passphrase is
 * decrypted with `sslpassword`.
 *
 * @throws DatabaseUrlError when there is half of it, or others may read the key
 */
export function clientCertificate(
  { sslcert, sslkey, sslpassword }: Parameters,
  { home, folder, isSocket, mode }: Place & { mode: TlsMode },
): { pair: ClientCertificate; files: { sslcert?: string; sslkey?: string } } | undefined {
  if (isSocket || mode === 'disable') return undefined;
  const certificate = sslcert ? resolve(folder, sslcert) : join(home, '.postgresql', 'postgresql.crt');
  if (!existsSync(certificate)) {
    if (!sslcert) return undefined;
    throw malformed(`the certificate file ${certificate} does not exist`, 'Correct sslcert=, or leave it out.');
  }
  const key = sslkey ? resolve(folder, sslkey) : join(home, '.postgresql', 'postgresql.key');
  if (!existsSync(key)) {
    throw malformed(`the key file ${key} of the certificate ${certificate} does not exist`, 'Give the key as sslkey=.');
  }
  checkKeyFile(key);
  return {
    pair: { certificate: read('the certificate file', certificate), key: decryptedKey(key, sslpassword) },
    files: { ...(sslcert ? { sslcert: certificate } : {}), ...(sslkey ? { sslkey: key } : {}) },
  };
}

function checkKeyFile(path: string): void {
  const status = statSync(path);
  if (!status.isFile()) throw malformed(`the key file ${path} is not a plain file`, 'Correct sslkey=.');
  // One that belongs to root may be shared with a group.
  if ((status.mode & (status.uid === 0 ? 0o037 : 0o077)) !== 0 && process.platform !== 'win32') {
    throw malformed(`others have access to the key file ${path}`, `Run: chmod 600 ${quoteShell(path)}`);
  }
}

function decryptedKey(path: string, passphrase: string | undefined): string {
  const key = read('the key file', path);
  try {
    const opened = createPrivateKey({ key, ...(passphrase ? { passphrase } : {}) });
    return opened.export({ type: 'pkcs8', format: 'pem' }).toString();
  } catch (cause) {
    throw malformed(
      `the key file ${path} could not be read: ${passphrase ? 'it is damaged, or has another passphrase' : 'it is damaged, or has a passphrase'}`,
      'Give the passphrase as sslpassword=.',
      cause,
    );
  }
}

function read(what: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw malformed(
      `${what} ${path} cannot be read: ${(cause as Error).message}`,
      'Make it readable for yourself.',
      cause,
    );
  }
}
