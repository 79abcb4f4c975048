import { GetObjectCommand } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { OperationError } from '../../errors.ts';
import type { Bucket } from '../listing.ts';

/** An address that serves a GET without a token for a while. It is a secret: it must not come into a log or an error. */
export interface SignedAddress {
  url: string;
  url_expires_at: string;
}

/**
 * Signs the address of an object, in the name of the function's own role: it opens nothing that the role may not read, and ends
 * with the role's credentials if these end earlier.
 *
 * @param seconds - how long the address holds
 */
export async function signAddress({ s3, bucket }: Bucket, key: string, seconds: number): Promise<SignedAddress> {
  // From a whole second on, as the signature has no smaller ones.
  const signingDate = new Date(Math.floor(Date.now() / 1000) * 1000);
  const command = new GetObjectCommand({ Bucket: bucket, Key: key });
  const url = await getSignedUrl(s3, command, { expiresIn: seconds, signingDate }).catch((cause: unknown) => {
    throw new OperationError('address_not_signed', 'The address could not be signed', 'Try again in a few seconds.', {
      cause,
    });
  });
  return { url, url_expires_at: new Date(signingDate.getTime() + seconds * 1000).toISOString() };
}
