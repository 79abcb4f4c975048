import { configurations } from './bucket-operations.ts';

/** What a request asks for: the API operation's name, and the bucket and key it names (path style). */
export type Route = { operation: string; bucketName: string; key: string };

/** Finds the operation by method, path, query and the copy header, as S3's REST API tells them apart. */
export function routeOf(method: string, url: URL, headers: NodeJS.Dict<string | string[]>): Route {
  const [, bucketName = '', key = ''] = /^\/([^/]*)(?:\/(.*))?$/s.exec(decodeURIComponent(url.pathname)) ?? [];
  const operation =
    bucketName === ''
      ? 'ListBuckets'
      : key === ''
        ? bucketOperation(method, url.searchParams)
        : objectOperation(method, url.searchParams, headers);
  return { operation, bucketName, key };
}

function bucketOperation(method: string, query: URLSearchParams): string {
  const configuration = Object.entries(configurations).find(([name]) => query.has(name))?.[1].noun;
  const verb = { GET: 'Get', PUT: 'Put', DELETE: 'Delete' }[method];
  if (configuration && verb) return `${verb}${configuration}`;
  switch (method) {
    case 'PUT':
      return 'CreateBucket';
    case 'DELETE':
      return 'DeleteBucket';
    case 'HEAD':
      return 'HeadBucket';
    case 'POST':
      return query.has('delete') ? 'DeleteObjects' : 'PostObject';
    default:
      if (query.has('uploads')) return 'ListMultipartUploads';
      if (query.has('versions')) return 'ListObjectVersions';
      if (query.has('location')) return 'GetBucketLocation';
      return query.get('list-type') === '2' ? 'ListObjectsV2' : 'ListObjects';
  }
}

/** Sub-resources of an object that the local endpoint does not have; without this list they would pass for the object. */
const unsupported = ['acl', 'attributes', 'legal-hold', 'restore', 'select', 'tagging', 'torrent'];

function objectOperation(method: string, query: URLSearchParams, headers: NodeJS.Dict<string | string[]>): string {
  const subresource = unsupported.find((name) => query.has(name));
  if (subresource) return `${method} ?${subresource}`;
  if (query.has('retention')) return method === 'GET' ? 'GetObjectRetention' : `${method} ?retention`;
  switch (method) {
    case 'PUT':
      if (query.has('uploadId')) return headers['x-amz-copy-source'] ? 'UploadPartCopy' : 'UploadPart';
      return headers['x-amz-copy-source'] ? 'CopyObject' : 'PutObject';
    case 'POST':
      return query.has('uploads') ? 'CreateMultipartUpload' : 'CompleteMultipartUpload';
    case 'DELETE':
      return query.has('uploadId') ? 'AbortMultipartUpload' : 'DeleteObject';
    case 'HEAD':
      return 'HeadObject';
    default:
      return query.has('uploadId') ? 'ListParts' : 'GetObject';
  }
}
