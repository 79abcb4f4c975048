import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  type ListPartsCommandOutput,
  NoSuchUpload,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';

/** Where the file of a download lies, and under which key S3 encrypts it. */
export interface DownloadStore {
  s3: S3Client;
  bucket: string;
  keyArn: string;
}

/** How far an upload has come. It is kept between invocations, so it is small: S3 itself knows the parts. */
export interface UploadState {
  upload_id: string;
  parts: number;
  bytes: number;
}

/** The least that S3 takes for any part but the last. */
export const LEAST_PART_BYTES = 5 * 1_048_576;
/** S3 takes 10,000 parts; some are larger than they must be. */
const MOST_PARTS = 9_000;
/** The largest object that S3 takes. */
export const MOST_BYTES = 5 * 1_099_511_627_776;

/** The least size of a part with which a file of up to `bytes` fits into one upload. */
export function partBytesFor(bytes: number): number {
  return Math.max(LEAST_PART_BYTES, Math.ceil(Math.min(bytes, MOST_BYTES) / MOST_PARTS));
}

/**
 * Begins an upload.
 *
 * @param fileName - under which browsers and `curl -OJ` save the file
 */
export async function beginUpload(
  { s3, bucket, keyArn }: DownloadStore,
  key: string,
  { fileName, contentType }: { fileName: string; contentType: string },
): Promise<UploadState> {
  const { UploadId } = await s3.send(
    new CreateMultipartUploadCommand({
      Bucket: bucket,
      Key: key,
      ContentType: contentType,
      ContentDisposition: `attachment; filename="${fileName}"`,
      ServerSideEncryption: 'aws:kms',
      SSEKMSKeyId: keyArn,
      BucketKeyEnabled: true,
      // Of the whole object: S3 joins those of the parts itself, so nobody has to remember them.
      ChecksumAlgorithm: 'CRC32',
      ChecksumType: 'FULL_OBJECT',
    }),
  );
  if (!UploadId) throw new Error('S3 began an upload without an id');
  return { upload_id: UploadId, parts: 0, bytes: 0 };
}

/** Takes the bytes of a file one after the other. */
export interface PartWriter {
  write(block: Buffer): Promise<void>;
  /**
   * Stores all that was written, if it is enough for a part of its own.
   *
   * @returns the state from which the upload can go on with what is written next; null when there was too little
   */
  checkpoint(): Promise<UploadState | null>;
  /** Stores the rest and makes the object. @returns its bytes */
  finish(): Promise<number>;
  /** Waits until nothing is being sent any more. */
  settle(): Promise<void>;
}

/**
 * Goes on with an upload. Parts that were stored after `state` are written anew.
 *
 * Memory: two parts that gather and one that is being sent. So much is held back that a checkpoint never has too little for a
 * part, once a part has been full.
 */
export function writeParts(
  { s3, bucket }: DownloadStore,
  key: string,
  state: UploadState,
  { partBytes, signal }: { partBytes: number; signal: AbortSignal },
): PartWriter {
  const upload = { Bucket: bucket, Key: key, UploadId: state.upload_id };
  let { parts, bytes } = state;
  let waiting: Buffer[] = [];
  let waitingBytes = 0;
  let sending: Promise<unknown> = Promise.resolve();

  const send = async (size: number): Promise<void> => {
    const whole = Buffer.concat(waiting);
    waiting = size < whole.length ? [whole.subarray(size)] : [];
    waitingBytes = whole.length - size;
    parts += 1;
    bytes += size;
    await sending;
    const command = new UploadPartCommand({
      ...upload,
      PartNumber: parts,
      Body: whole.subarray(0, size),
      ChecksumAlgorithm: 'CRC32',
    });
    sending = s3.send(command, { abortSignal: signal });
    // Thrown where it is awaited: by the next part, or at the end.
    sending.catch(() => undefined);
  };

  return {
    async write(block) {
      waiting.push(block);
      waitingBytes += block.length;
      while (waitingBytes >= 2 * partBytes) await send(partBytes);
    },
    async checkpoint() {
      if (waitingBytes < partBytes) return null;
      await send(waitingBytes);
      await sending;
      return { upload_id: state.upload_id, parts, bytes };
    },
    async finish() {
      if (waitingBytes > 0) await send(waitingBytes);
      await sending;
      const Parts = await listParts(s3, upload, parts);
      await s3.send(
        new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts }, ChecksumType: 'FULL_OBJECT' }),
      );
      return bytes;
    },
    settle: () => sending.then(ignore, ignore),
  };
}

const ignore = (): void => undefined;

/** The first `count` parts of an upload, as S3 wants to hear of them. */
async function listParts(
  s3: S3Client,
  upload: { Bucket: string; Key: string; UploadId: string },
  count: number,
): Promise<{ PartNumber: number; ETag: string }[]> {
  const found: { PartNumber: number; ETag: string }[] = [];
  let marker: string | undefined;
  do {
    const page: ListPartsCommandOutput = await s3.send(
      new ListPartsCommand({ ...upload, ...(marker === undefined ? {} : { PartNumberMarker: marker }) }),
    );
    for (const { PartNumber = 0, ETag = '' } of page.Parts ?? []) {
      // One that is left of an attempt that came further than the last one is no part of the file.
      if (PartNumber <= count) found.push({ PartNumber, ETag });
    }
    marker = page.IsTruncated ? page.NextPartNumberMarker : undefined;
  } while (marker !== undefined && found.length < count);
  if (found.length !== count) throw new Error(`S3 has ${found.length} of ${count} parts of the upload`);
  return found;
}

/** Bytes of a file that is complete; null when there is none. */
export async function findFile({ s3, bucket }: DownloadStore, key: string): Promise<number | null> {
  const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: key, MaxKeys: 1 }));
  return Contents.find(({ Key }) => Key === key)?.Size ?? null;
}

/** Ends an upload whose file is not wanted any more; one that has ended already is no failure. */
export async function abortUpload({ s3, bucket }: DownloadStore, key: string, uploadId: string): Promise<void> {
  await s3
    .send(new AbortMultipartUploadCommand({ Bucket: bucket, Key: key, UploadId: uploadId }))
    .catch((error: unknown) => {
      if (!(error instanceof NoSuchUpload)) throw error;
    });
}
