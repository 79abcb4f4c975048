import { Agent, get } from 'node:http';
import {
  CreateBucketCommand,
  GetObjectCommand,
  PutBucketPolicyCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { App, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import * as cdkS3 from 'aws-cdk-lib/aws-s3';
import { expect, test } from 'vitest';
import { bindPresignedUrls } from '../../infra/constructs/permissions/downloads.ts';
import { clientOptions, useServices } from '../local/aws/support.ts';

const services = useServices();

/** Policies of a bucket that is bound to some ranges, as they are deployed. */
function policiesFor(ranges: readonly string[]): Record<string, unknown>[] {
  const stack = new Stack(new App());
  bindPresignedUrls(new cdkS3.Bucket(stack, 'Downloads'), ranges);
  const found = Template.fromStack(stack).findResources('AWS::S3::BucketPolicy');
  // The bucket has no name before it is deployed.
  const resolved = JSON.stringify(Object.values(found).map(({ Properties }) => Properties.PolicyDocument)).replaceAll(
    /\{"Fn::Join":\["",\[\{"Fn::GetAtt":\["[^"]+","Arn"\]\},"\/\*"\]\]\}/g,
    '"arn:aws:s3:::downloads/*"',
  );
  return JSON.parse(resolved);
}

/** The status of a GET that leaves this machine by an address of its own. */
const statusFrom = (localAddress: string, url: string): Promise<number | undefined> =>
  new Promise((resolve, reject) => {
    const agent = new Agent({ keepAlive: false });
    get(url, { localAddress, agent }, (answer) => {
      answer.resume();
      resolve(answer.statusCode);
    }).on('error', reject);
  });

test('a presigned URL works from the allowed ranges alone, and reads by the functions work from anywhere', async () => {
  const [policy] = policiesFor(['127.0.0.0/30', '2001:db8::/32']);
  const s3 = new S3Client({ ...clientOptions(services.current.endpoints.s3), forcePathStyle: true });
  await s3.send(new CreateBucketCommand({ Bucket: 'downloads' }));
  await s3.send(new PutObjectCommand({ Bucket: 'downloads', Key: 'shop.sql.zst', Body: 'rows' }));
  await s3.send(new PutBucketPolicyCommand({ Bucket: 'downloads', Policy: JSON.stringify(policy) }));
  const object = new GetObjectCommand({ Bucket: 'downloads', Key: 'shop.sql.zst' });
  const url = await getSignedUrl(s3, object, { expiresIn: 60 });
  expect(await statusFrom('127.0.0.2', url)).toBe(200);
  expect(await statusFrom('127.0.0.9', url)).toBe(403);
  await s3.send(
    new PutBucketPolicyCommand({
      Bucket: 'downloads',
      Policy: JSON.stringify(policiesFor(['203.0.113.0/24'])[0]),
    }),
  );
  expect(await statusFrom('127.0.0.2', url)).toBe(403);
  // Signed in a header, as by the functions, which have no address among those of callers.
  expect(await (await s3.send(object)).Body?.transformToString()).toBe('rows');
});

test('nothing is bound where callers may come from anywhere', () => {
  expect(policiesFor(['0.0.0.0/0', '::/0'])).toEqual([]);
});
