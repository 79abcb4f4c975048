import { createHash } from 'node:crypto';
import { AwsError } from '../errors.ts';
import { readBody } from '../http.ts';
import { elements, elementText, escapeXml } from '../xml.ts';
import { bucketOf, encryptionHeaders, objectHeaders, type S3Operation, sendEmpty, sendXml, uploadOf } from './call.ts';
import { checkWriteCondition, hashesToMd5, newEtag } from './object-operations.ts';
import { receive } from './receive.ts';
import type { Part } from './store.ts';

const minPartBytes = 5 * 1024 * 1024;

const createMultipartUpload: S3Operation = async (call) => {
  const bucket = bucketOf(call);
  const headers = objectHeaders(call, bucket);
  const upload = await call.store.createUpload(bucket, call.key, headers);
  const content = `<Bucket>${bucket.name}</Bucket><Key>${escapeXml(call.key)}</Key><UploadId>${upload.id}</UploadId>`;
  sendXml(call, 'InitiateMultipartUploadResult', content, encryptionHeaders(headers));
};

const uploadPart: S3Operation = async (call) => {
  const bucket = bucketOf(call);
  const upload = uploadOf(bucket, call);
  const number = Number(call.query.get('partNumber'));
  if (!Number.isInteger(number) || number < 1 || number > 10_000)
    throw new AwsError('InvalidArgument', 'Part number must be 1 to 10000');
  const { file, path } = call.store.newFile(bucket);
  const { size, md5, checksum } = await receive(call.request, path, hashesToMd5(upload.headers));
  const etag = newEtag(md5);
  await call.store.putPart(bucket, upload, { number, file, size, etag, modifiedAt: Date.now() });
  sendEmpty(call, 200, {
    etag,
    ...encryptionHeaders(upload.headers),
    ...(checksum ? { [checksum.name]: checksum.value } : {}),
  });
};

/** The parts as the client lists them: known, in ascending order, and none but the last too small. */
function listedParts(document: string, known: ReadonlyMap<number, Part>): Part[] {
  const parts = elements(document, 'Part').map((element) => {
    const part = known.get(Number(elementText(element, 'PartNumber')));
    const etag = (elementText(element, 'ETag') ?? '').replaceAll('"', '');
    if (!part || part.etag !== `"${etag}"`)
      throw new AwsError('InvalidPart', 'One or more of the specified parts could not be found.');
    return part;
  });
  if (parts.length === 0) throw new AwsError('MalformedXML', 'CompleteMultipartUpload takes at least one part');
  if (parts.some(({ number }, index) => number <= (parts[index - 1]?.number ?? 0))) {
    throw new AwsError('InvalidPartOrder', 'The list of parts was not in ascending order.');
  }
  if (parts.slice(0, -1).some(({ size }) => size < minPartBytes)) {
    throw new AwsError('EntityTooSmall', 'A part other than the last is smaller than 5 MiB.');
  }
  return parts;
}

const completeMultipartUpload: S3Operation = async (call) => {
  const bucket = bucketOf(call);
  const document = (await readBody(call.request)).toString('utf8');
  const upload = uploadOf(bucket, call);
  checkWriteCondition(call, bucket);
  const parts = listedParts(document, upload.parts);
  const md5s = Buffer.concat(parts.map(({ etag }) => Buffer.from(etag.slice(1, -1), 'hex')));
  const etag = `"${createHash('md5').update(md5s).digest('hex')}-${parts.length}"`;
  await call.store.completeUpload(bucket, upload, {
    key: call.key,
    pieces: parts.map(({ file, size }) => ({ file, size })),
    size: parts.reduce((total, { size }) => total + size, 0),
    etag,
    modifiedAt: Date.now(),
    headers: upload.headers,
    checksum: null,
  });
  const content = `<Location>/${bucket.name}/${escapeXml(call.key)}</Location><Bucket>${bucket.name}</Bucket><Key>${escapeXml(call.key)}</Key><ETag>${escapeXml(etag)}</ETag>`;
  sendXml(call, 'CompleteMultipartUploadResult', content, encryptionHeaders(upload.headers));
};

const abortMultipartUpload: S3Operation = async (call) => {
  const bucket = bucketOf(call);
  await call.store.abortUpload(bucket, uploadOf(bucket, call));
  sendEmpty(call, 204);
};

const listParts: S3Operation = (call) => {
  const upload = uploadOf(bucketOf(call), call);
  const parts = [...upload.parts.values()].sort((a, b) => a.number - b.number);
  const after = Number(call.query.get('part-number-marker') ?? 0);
  const limit = Math.min(Number(call.query.get('max-parts') ?? 1000), 1000);
  const wanted = parts.filter(({ number }) => number > after);
  const page = wanted.slice(0, limit);
  const items = page.map(
    ({ number, etag, size, modifiedAt }) =>
      `<Part><PartNumber>${number}</PartNumber><ETag>${escapeXml(etag)}</ETag><Size>${size}</Size><LastModified>${new Date(modifiedAt).toISOString()}</LastModified></Part>`,
  );
  const paging = `<IsTruncated>${page.length < wanted.length}</IsTruncated><NextPartNumberMarker>${page.at(-1)?.number ?? 0}</NextPartNumberMarker>`;
  sendXml(
    call,
    'ListPartsResult',
    `<Key>${escapeXml(call.key)}</Key><UploadId>${upload.id}</UploadId>${paging}${items.join('')}`,
  );
};

const listMultipartUploads: S3Operation = (call) => {
  const bucket = bucketOf(call);
  const prefix = call.query.get('prefix') ?? '';
  const after = [call.query.get('key-marker') ?? '', call.query.get('upload-id-marker') ?? ''].join('\n');
  const limit = Math.min(Number(call.query.get('max-uploads') ?? 1000), 1000);
  const position = ({ key, id }: { key: string; id: string }) => [key, id].join('\n');
  const uploads = [...bucket.uploads.values()]
    .filter((upload) => upload.key.startsWith(prefix) && (after === '\n' || position(upload) > after))
    .sort((a, b) => (position(a) < position(b) ? -1 : 1));
  const page = uploads.slice(0, limit);
  const items = page.map(
    ({ key, id, startedAt }) =>
      `<Upload><Key>${escapeXml(key)}</Key><UploadId>${id}</UploadId><Initiated>${new Date(startedAt).toISOString()}</Initiated></Upload>`,
  );
  const last = page.at(-1);
  const next =
    last && page.length < uploads.length
      ? `<NextKeyMarker>${escapeXml(last.key)}</NextKeyMarker><NextUploadIdMarker>${last.id}</NextUploadIdMarker>`
      : '';
  sendXml(
    call,
    'ListMultipartUploadsResult',
    `<Bucket>${bucket.name}</Bucket><IsTruncated>${next !== ''}</IsTruncated>${next}${items.join('')}`,
  );
};

export const uploadOperations: Readonly<Record<string, S3Operation>> = {
  CreateMultipartUpload: createMultipartUpload,
  UploadPart: uploadPart,
  CompleteMultipartUpload: completeMultipartUpload,
  AbortMultipartUpload: abortMultipartUpload,
  ListParts: listParts,
  ListMultipartUploads: listMultipartUploads,
};
